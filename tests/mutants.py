"""Small wrong changes to the code, one after the other, and whether a test notices: ``make mutants``.

Cosmic Ray says what can be changed in a file; each change is made in a copy of the project in ``build/mutants``, and
the few tests that concern the file decide; where they hang, they have noticed. A change that no test notices is
printed: either a test is missing, or the change makes no difference to anybody (docs/mutants.md).

Left out are changes inside annotations and ``@dataclass(...)``, and those that are no program or that Python itself
warns of (``is`` beside a literal). Strings, and with them docstrings, titles and help texts, are never changed.
"""

import argparse
import ast
import difflib
import gc
import importlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

PROJECT = Path(__file__).parents[1]
COPY = PROJECT / "build/mutants"
WRITTEN = PROJECT / "build/mutants.md"
PACKAGE = "src/pixda"
SAMPLE = 20
"""Changes of each file, where no file is named."""

ADVERSARIAL = ["tests/phases/test_adversarial.py", "tests/phases/test_source_selector.py"]
PRESETS = ["tests/methods/test_presets.py"]
TESTS = {
    "losses/adversarial.py": ["tests/losses/test_adversarial.py"],
    "losses/segmentation.py": ["tests/losses/test_segmentation.py"],
    "losses/likelihood.py": ["tests/losses/test_likelihood.py", "tests/losses/test_segmentation.py"],
    "losses/distillation.py": ["tests/losses/test_distillation.py"],
    "phases/adversarial.py": ADVERSARIAL,
    "phases/source_selector.py": ADVERSARIAL,
    "phases/distillation.py": ["tests/phases/test_distillation.py", "tests/phases/test_modes.py"],
    "phases/trainee.py": ["tests/phases/test_trainee.py", "tests/phases/test_supervised.py"],
    "phases/supervised.py": ["tests/phases/test_supervised.py"],
    "selection.py": ["tests/test_selection.py"],
    "style.py": ["tests/test_style.py"],
    "metrics.py": ["tests/test_metrics.py"],
    "evaluation.py": ["tests/test_evaluation.py", "tests/phases/test_modes.py"],
    "pseudo_labels.py": ["tests/test_pseudo_labels.py"],
    "data/drawing.py": ["tests/data/test_drawing.py", "tests/data/test_domains.py"],
    "losses/entropy.py": ["tests/losses/test_entropy.py"],
    "losses/information.py": ["tests/losses/test_information.py"],
    "losses/pairing.py": ["tests/losses/test_pairing.py"],
    "losses/weighting.py": ["tests/losses/test_weighting.py"],
    "phases/phase.py": ["tests/phases/test_phase.py", "tests/phases/test_distillation.py"],
    "phases/settings.py": PRESETS,
    "phases/released_sgd.py": ["tests/phases/test_released_sgd.py"],
    "phases/fourier.py": ["tests/phases/test_fourier.py"],
    "phases/image_adversarial.py": ["tests/phases/test_image_adversarial.py"],
    "phases/pairing.py": ["tests/phases/test_pairing.py"],
    "phases/self_training.py": ["tests/phases/test_self_training.py"],
    "phases/two_heads.py": ["tests/phases/test_image_adversarial.py", "tests/phases/test_pairing.py"],
    "phases/weighting.py": ["tests/phases/test_weighting.py"],
    "methods/method.py": PRESETS,
    "methods/presets.py": PRESETS,
    "methods/pixda.py": PRESETS,
    "methods/adaptsegnet.py": PRESETS,
    "methods/advent.py": PRESETS,
    "methods/fda.py": PRESETS,
    "methods/fine_tuning.py": PRESETS,
    "methods/fsda.py": PRESETS,
    "methods/joint.py": PRESETS,
    "methods/naae.py": PRESETS,
    "methods/self_training.py": PRESETS,
    "methods/source_only.py": PRESETS,
}
"""A file of the package -> the few tests that should notice, the quickest first."""


@dataclass(frozen=True)
class Change:
    """One wrong change: where it begins (line, column) and the file's text with it."""

    place: tuple[int, int]
    operator: str
    code: str


@dataclass
class Outcome:
    """What became of a file's changes."""

    file: str
    possible: int = 0
    tried: int = 0
    survivors: list[str] = field(default_factory=list)

    @property
    def row(self) -> str:
        """A line of the table."""
        killed = self.tried - len(self.survivors)
        return f"| `{self.file}` | {self.possible} | {self.tried} | {killed} | {len(self.survivors)} |"


def left_alone(code: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """From where to where nothing is changed: annotations, and how a dataclass is made."""
    nodes = list(ast.walk(ast.parse(code)))
    found = [getattr(node, name, None) for node in nodes for name in ("annotation", "returns")]
    found += [one for node in nodes if isinstance(node, ast.ClassDef) for one in node.decorator_list]
    return [((one.lineno, one.col_offset), (one.end_lineno, one.end_col_offset)) for one in found if one is not None]


def changes(code: str, file: str) -> Iterator[Change]:
    """All changes in an order that is the same every time: each place of the code once before any place twice."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    silent, tree, places = left_alone(code), get_ast(code), []
    for name in operator_names():
        if get_operator(name).arguments():
            continue  # replaces a variable that would have to be named
        found = [place for node in ast_nodes(tree) for place in get_operator(name)().mutation_positions(node)]
        places += [(start, name, number) for number, (start, _) in enumerate(found)]
    random.Random(file).shuffle(places)
    before: Counter[tuple[int, int]] = Counter()
    ranked = []
    for start, name, number in places:
        ranked.append((before[start], start, name, number))
        before[start] += 1
    for _, start, name, number in sorted(ranked, key=lambda one: one[0]):
        if any(first <= start < last for first, last in silent):
            continue
        changed = mutate_code(code, get_operator(name)(), number)
        if changed is not None and is_another_program(code, changed):
            yield Change(start, name.removeprefix("core/"), changed)


def is_another_program(code: str, changed: str) -> bool:
    """Whether a change is one: Python reads it without a warning, and as something else."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            compile(changed, "changed", "exec")
        except SyntaxError:
            return False
    return ast.dump(ast.parse(code)) != ast.dump(ast.parse(changed))


def run_tests(tests: list[str], seconds: int) -> None:
    """In a process of its own, a copy of this one with the libraries loaded: exits with pytest's code."""
    import pytest

    os.setpgrp()  # what hangs is ended with all that it started
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    os.chdir(COPY)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    sys.path[:0] = [str(COPY / "src"), str(COPY)]
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
    options = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "--assert=plain"]
    os._exit(int(pytest.main([*options, *tests])))


def passes(tests: list[str], seconds: int) -> bool:
    """Whether the tests pass on the copy as it is, in so many seconds of a processor and in ten minutes."""
    process = get_context("fork").Process(target=run_tests, args=(tests, seconds))
    process.start()
    process.join(600)
    if process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode == 0


def processor_seconds() -> float:
    """What all ended child processes have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def try_file(file: str, sample: int | None) -> Outcome:
    """Try the changes of one file, ``sample`` of them or all."""
    path = COPY / PACKAGE / file
    code, tests, outcome = path.read_text(), TESTS[file], Outcome(file)
    before = processor_seconds()
    if not passes(tests, 600):
        sys.exit(f"{' '.join(tests)}: fails without any change.")
    limit = 20 + int(5 * (processor_seconds() - before))
    for change in changes(code, file):
        outcome.possible += 1
        if sample is not None and outcome.tried == sample:
            continue
        outcome.tried += 1
        path.write_text(change.code)
        if passes(tests, limit):
            lines = difflib.unified_diff(code.splitlines(), change.code.splitlines(), lineterm="", n=0)
            told = "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
            outcome.survivors.append(f"{PACKAGE}/{file}:{change.place[0]} {change.operator}\n{told}")
            print(outcome.survivors[-1], flush=True)
    path.write_text(code)
    print(outcome.row, flush=True)
    return outcome


def main() -> int:
    """The exit code is 1 where more than a tenth of all changes went unnoticed."""
    reader = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    reader.add_argument("files", nargs="*", help="files of src/pixda; none: all that have tests named for them")
    reader.add_argument("--sample", type=int, help=f"changes of each file; none: {SAMPLE}, and of named files all")
    asked = reader.parse_args()
    files = [file.removeprefix(f"{PACKAGE}/") for file in asked.files] or list(TESTS)
    sample = asked.sample if asked.files or asked.sample else SAMPLE
    for file in files:
        if file not in TESTS:
            sys.exit(f"No tests are named for {file} in tests/mutants.py; they are for: {', '.join(TESTS)}.")

    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if name.startswith(("src/", "tests/", "pyproject.toml")):
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, COPY / name)
    sys.dont_write_bytecode = True  # two changes within a second would be taken for one
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    # Loaded once, for all the processes that try a change; frozen, so that none of them walks through it.
    for library in ("cv2", "jsonargparse", "kornia", "lightning_fabric", "PIL.Image", "pytest", "rich.console", "yaml"):
        importlib.import_module(library)
    gc.freeze()

    outcomes = [try_file(file, sample) for file in files]
    head = "| file | changes | tried | noticed | not noticed |\n|---|---:|---:|---:|---:|"
    table = "\n".join([head, *(outcome.row for outcome in outcomes)])
    survivors = [survivor for outcome in outcomes for survivor in outcome.survivors]
    WRITTEN.write_text("\n\n".join([table, *(f"```diff\n{one}\n```" for one in survivors)]) + "\n")
    print(f"\n{table}\n\nwritten to {WRITTEN.relative_to(PROJECT)}")
    return int(10 * len(survivors) > sum(outcome.tried for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
