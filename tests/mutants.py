"""Small wrong changes to the code, one after the other, and whether a test notices: ``make mutants FILE=...``.

Cosmic Ray changes a copy of the project in ``build/mutants``; the tests that belong to the file decide. A change that
no test notices is printed with its lines: either a test is missing, or the change makes no difference to anybody.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
COPY = PROJECT / "build/mutants"

TESTS = {
    "src/pixda/losses/": ["tests/losses"],
    "src/pixda/phases/": ["tests/phases"],
    "src/pixda/methods/": ["tests/methods", "tests/phases/test_declared.py"],
    "src/pixda/selection.py": ["tests/test_selection.py"],
    "src/pixda/style.py": ["tests/test_style.py"],
    "src/pixda/metrics.py": ["tests/test_metrics.py"],
    "src/pixda/evaluation.py": ["tests/test_evaluation.py", "tests/phases/test_modes.py"],
    "src/pixda/pseudo_labels.py": ["tests/test_pseudo_labels.py"],
    "src/pixda/mixing.py": ["tests/test_mixing.py"],
    "src/pixda/data/drawing.py": ["tests/data/test_domains.py", "tests/data/test_augmentation.py"],
}
"""What is changed -> the tests that should notice."""


def main(file: str) -> int:
    """Try all changes of one file; the exit code is 1 where more than a tenth went unnoticed."""
    tests = next((tests for beginning, tests in TESTS.items() if file.startswith(beginning)), None)
    if tests is None or not (PROJECT / file).is_file():
        print(f"There is no file {file}, or no tests are named for it in tests/mutants.py: {', '.join(TESTS)}.")
        return 2
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\n"):
        if name.startswith(("src/", "tests/", "pyproject.toml")):
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, COPY / name)
    command = f"env PYTHONPATH=src {sys.executable} -m pytest -q -x --no-header {' '.join(tests)}"
    (COPY / "mutants.toml").write_text(
        f'[cosmic-ray]\nmodule-path = "{file}"\ntimeout = 300.0\nexcluded-modules = []\ntest-command = "{command}"\n'
        '[cosmic-ray.distributor]\nname = "local"\n'
    )
    tool = [sys.executable, "-m", "cosmic_ray.cli"]
    session = ["mutants.toml", "mutants.sqlite"]
    for step in (["baseline", session[0]], ["init", *session], ["exec", *session]):
        subprocess.run([*tool, *step], cwd=COPY, check=True)
    dumped = subprocess.run([*tool, "dump", session[1]], cwd=COPY, capture_output=True, check=True)
    tried = survived = 0
    for line in dumped.stdout.decode().splitlines():
        _, result = json.loads(line)
        if result is None or result["test_outcome"] == "incompetent":
            continue  # no program any more
        tried += 1
        if result["test_outcome"] == "survived":
            survived += 1
            print(result["diff"])
    print(f"{file}: {tried - survived} of {tried} changes were noticed by {', '.join(tests)}")
    return int(10 * survived > tried)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
