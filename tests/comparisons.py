"""What the tests of tables and curves share: comparisons with given numbers, no run behind them."""

import random

from pixda.comparison.grid import Cell
from pixda.comparison.results import Comparison, Result
from pixda.data.classes import ClassSet
from pixda.metrics import Scores

# Shares of Cityscapes' training pixels, as they are commonly counted; in the order of the classes.
CITYSCAPES_SHARES = (
    *(0.3687, 0.0608, 0.2282, 0.0066, 0.0088, 0.0123, 0.0021, 0.0055, 0.1593, 0.0116),
    *(0.0402, 0.0122, 0.0013, 0.0699, 0.0027, 0.0023, 0.0023, 0.0010, 0.0041),
)
CAMVID_SHARES = (0.167, 0.240, 0.0098, 0.299, 0.055, 0.107, 0.012, 0.012, 0.062, 0.0062, 0.0048)

METHODS = {  # IoU to begin with, and what shots add; 0: trained without labelled frames
    "source only": (31, 0),
    "source only, step-matched": (30.5, 0),
    "target only": (18, 5),
    "fine-tuning": (33, 4),
    "joint training": (32, 2),
    "balanced joint training": (44, 3),
    "balanced joint + style": (45.5, 2.6),
    "image-wise adversarial": (42, 2.2),
    "FDA, no labels": (39, 0.1),
    "FSDA": (43, 2.4),
    "NAAE-style": (36, 1.5),
    "PixDA without S": (46, 1.9),
    "PixDA without B": (47.7, 1.7),
    "PixDA without selection": (48.3, 1.6),
    "PixDA": (51.2, 1.3),
}


def scores(classes: ClassSet, iou: dict[str, float | None]) -> Scores:
    """The scores with these IoUs; means by their definition."""

    def mean(members):
        present = [iou[classes.names[c]] for c in members if iou[classes.names[c]] is not None]
        return sum(present) / len(present) if present else None

    share = 1 / len(classes.names)
    means = {name: mean(members) for name, members in classes.protocols.items()}
    return Scores(iou, means, dict.fromkeys(classes.names, share), 0.875)


def shares(classes: ClassSet) -> dict[str, float]:
    """Class to its share of the target's training set."""
    known = {"cityscapes-19": CITYSCAPES_SHARES, "camvid-11": CAMVID_SHARES}
    return dict(zip(classes.names, known[classes.name], strict=True))


def account(**changes):
    """What ``model.json`` says of a run."""
    config = {
        "source": {"dataset": "gta5", "split": "all"},
        "target": {"dataset": "cityscapes", "split": "train", "test_split": "val", "shot_list": "drawn"},
        "size": [1024, 512],
        "network": {"architecture": "deeplab_resnet101"},
    }
    made = {
        "version": "0.1.0",
        "code": "c0de",
        "method": "pixda",
        "preset": "paper",
        "departures": {},
        "first_weights": "deeplab_resnet101 starts from random weights",
        "steps": {"pretrain": 700, "adapt": 400},
        "machine": {"device": "cpu", "threads": 1},
        "config": config,
    }
    return made | changes


def result(cell: Cell, found: Scores | None = None, frames: int | None = None, failure: str | None = None, made=None):
    """What came of a cell."""
    return Result(cell, frames, found, failure, made)


def study(
    methods=METHODS, shots=(1, 2, 3, 4, 5), seeds=(0, 1, 2), splits=("",), classes="cityscapes-19", cities=18
) -> Comparison:
    """A comparison as it may come out: made-up numbers of the size and the scatter of real ones."""
    class_set = ClassSet.load(classes)
    results = []
    for gap, split in enumerate(splits):
        for k in shots:
            for row, (start, gain) in methods.items():
                for seed in seeds:
                    luck = random.Random(f"{split}{row}{seed}{k if gain else 0}")
                    level = start - 4 * gap + gain * (k - 1) ** 0.7 + luck.gauss(0, 1.2)
                    iou = {
                        name: min(0.98, max(0, (level + luck.gauss(0, 3) + 35 * share**0.3 - 8) / 100))
                        for name, share in shares(class_set).items()
                    }
                    cell = Cell(split, row, k, seed)
                    frames = cities * k if gain else 0
                    results.append(result(cell, scores(class_set, iou), frames, made=account()))
    protocol = {"data": "GTA5 to Cityscapes", "shot lists": "sha256 0123456789ab (1 shot)"}
    table = dict.fromkeys(splits, shares(class_set))
    return Comparison("GTA5 to Cityscapes", results, class_set, table, protocol)
