"""``pixda check``: an experiment's data, one dataset, or a bare folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser

from pixda.config import Experiment
from pixda.data.config import Data
from pixda.errors import UserError
from pixda.options import as_training, make_parser, method_and_preset, parse, train_parser
from pixda.shipped import with_config
from pixda.words import leading

if TYPE_CHECKING:
    from pixda.data.doctor import Diagnosis

_FORMS = """Look at every file of a dataset before any training, and say all that is wrong. Three forms:
pixda check CONFIG [options of pixda train]: an experiment's source, shots and test frames;
pixda check --data.dataset NAME --data.root DIR [--data.split ...]: one dataset;
pixda check DIR: finds out what the folder holds, and says which options read it."""


def check(words: Sequence[str]) -> None:
    """Look at all files of a folder, or of an experiment, and say all that is wrong: pixda check DIR."""
    words = leading(words, "--folder") if words and Path(words[0]).is_dir() else with_config(words)
    from_config = any(word.startswith(("--config", "--source.", "--target.")) for word in words)
    folder = any(word.partition("=")[0] == "--folder" for word in words)
    if from_config:
        method, preset = method_and_preset(words)
        parser = train_parser(method, preset, "check")
        _add_runs(parser)
    else:
        parser = make_parser("check", _FORMS)
        _add_runs(parser)
        parser.add_argument(
            "--classes", type=str, default="cityscapes-19", help="Class set: shipped name or YAML file."
        )
        if folder:
            parser.add_argument("--folder", type=Path, required=True, help="Folder of unknown layout.")
        else:
            parser.add_class_arguments(Data, "data")
    given = parse(parser, words)
    from pixda.report.checks import counted, print_diagnosis

    cache = given.runs / ".checks"
    if from_config:
        training = as_training(method, preset, given)
        diagnosis = _experiment(training.experiment, training.recipe.reads_target_labels(), cache)
    elif folder:
        diagnosis = _folder(given.folder, given.classes, cache)
    else:
        diagnosis = _dataset(given.data, given.classes, cache)
    print_diagnosis(diagnosis)
    if diagnosis.errors:
        raise UserError(f"Found {counted(diagnosis.errors, 'error')}, listed above; training would not start.")


def _add_runs(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        help="Folder that runs are kept in: what is in order is remembered there, and training does not repeat it.",
    )


def _experiment(experiment: Experiment, labelled: bool, cache: Path) -> "Diagnosis":
    from pixda.data.classes import ClassSet
    from pixda.data.doctor import diagnose
    from pixda.data.open import open_dataset, open_shots, open_test

    classes = ClassSet.load(experiment.classes)
    sources = {
        f"source {number}" if number > 1 else "source": partial(open_dataset, source, classes, strict=False)
        for number, source in enumerate(experiment.sources(), start=1)
    }
    sets = {
        **sources,
        "shots": partial(
            open_shots, experiment.target, classes, None, experiment.seed, strict=False, labelled=labelled
        ),
    }
    if experiment.target.test_split is not None:
        sets["test"] = partial(open_test, experiment.target, classes, strict=False)
    return diagnose(sets, cache, size=experiment.size)


def _dataset(data: Data, class_set: str, cache: Path) -> "Diagnosis":
    from pixda.data.classes import ClassSet
    from pixda.data.doctor import diagnose
    from pixda.data.open import open_dataset

    return diagnose({data.split: partial(open_dataset, data, ClassSet.load(class_set), strict=False)}, cache)


def _folder(folder: Path, class_set: str, cache: Path) -> "Diagnosis":
    from pixda.data.classes import ClassSet
    from pixda.data.doctor import diagnose
    from pixda.data.layouts import recognise
    from pixda.data.open import open_dataset

    classes = ClassSet.load(class_set)
    found = recognise(folder, classes)
    print(f"Recognised: {found[0].why}.")
    for one in found:
        print(f"  {one.options()} --classes {class_set}")
    return diagnose({one.data.split: partial(open_dataset, one.data, classes, strict=False) for one in found}, cache)
