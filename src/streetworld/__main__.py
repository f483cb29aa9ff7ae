"""`python -m streetworld SHEET.jpg`: write a contact sheet of the street world."""

import argparse
import sys
from pathlib import Path

from streetworld.sheet import contact_sheet


def main() -> int:
    """Parse the command line and write the sheet; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m streetworld", description=__doc__)
    parser.add_argument("sheet", type=Path, help="the JPEG file to write")
    parser.add_argument("--seed", type=int, default=0, help="which world (default 0)")
    chosen = parser.parse_args()
    try:
        contact_sheet(chosen.sheet, chosen.seed)
    except OSError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
