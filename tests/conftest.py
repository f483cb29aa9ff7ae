"""Makes `runs` and `hf_models`, beside this file, importable under pytest's importlib mode.

Keeps every test off Hugging Face's hub.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# Read when the package is imported, in processes that tests start too.
os.environ["HF_HUB_OFFLINE"] = "1"

# Several of pytest's processes fill the cores: threads that wait for each other beside them take up to fifty times as
# long. What the tests start has as many.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A small source and target on disk, for the tests of one file."""
    from runs import two_domains

    return two_domains(tmp_path_factory.mktemp("domains"))
