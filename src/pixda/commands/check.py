"""``pixda check``: an experiment's data, one dataset, or a bare folder."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pixda.data.config import Data
from pixda.errors import UserError
from pixda.options import as_training, make_parser, method_and_preset, parse, train_parser
from pixda.shipped import with_config
from pixda.words import leading

if TYPE_CHECKING:
    from pixda.data.dataset import SegmentationDataset

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
    else:
        parser = make_parser("check", _FORMS)
        parser.add_argument(
            "--classes", type=str, default="cityscapes-19", help="Class set: shipped name or YAML file."
        )
        if folder:
            parser.add_argument("--folder", type=Path, required=True, help="Folder of unknown layout.")
        else:
            parser.add_class_arguments(Data, "data")
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        help="Folder that runs are kept in: what is in order is remembered there, and training does not repeat it.",
    )
    given = parse(parser, words)
    from pixda.data.classes import ClassSet
    from pixda.data.doctor import diagnose
    from pixda.data.layouts import recognise
    from pixda.data.open import open_dataset, open_shots, open_test
    from pixda.report.checks import counted, print_diagnosis

    classes = ClassSet.load(given.classes)
    sets: dict[str, Callable[[], SegmentationDataset]] = {}
    if from_config:
        training = as_training(method, preset, given)
        experiment, labelled = training.experiment, training.recipe.reads_target_labels()
        for number, source in enumerate(experiment.sources(), start=1):
            name = "source" if number == 1 else f"source {number}"
            sets[name] = partial(open_dataset, source, classes, strict=False)
        target, seed = experiment.target, experiment.seed
        sets["shots"] = partial(open_shots, target, classes, None, seed, strict=False, labelled=labelled)
        if target.test_split is not None:
            sets["test"] = partial(open_test, target, classes, strict=False)
    elif folder:
        found = recognise(given.folder, classes)
        print(f"Recognised: {found[0].why}.")
        for one in found:
            print(f"  {one.options()} --classes {given.classes}")
            sets[one.data.split] = partial(open_dataset, one.data, classes, strict=False)
    else:
        sets[given.data.split] = partial(open_dataset, given.data, classes, strict=False)
    diagnosis = diagnose(sets, given.runs / ".checks", size=experiment.size if from_config else None)
    print_diagnosis(diagnosis)
    if diagnosis.errors:
        raise UserError(f"Found {counted(diagnosis.errors, 'error')}, listed above; training would not start.")
