"""Makes the modules beside the tests (damage, readers, tripwire) importable under pytest's importlib mode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
