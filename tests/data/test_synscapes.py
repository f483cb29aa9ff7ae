from pathlib import Path

import trees
from contract import DatasetContract
from test_gta5 import TO_CLASS

from pixda.data.classes import ClassSet
from pixda.data.synscapes import Synscapes


class TestSynscapes(DatasetContract):
    frames = (("1", "all"), ("2", "all"), ("3", "all"))
    ids = trees.CITYSCAPES_IDS
    to_class = TO_CLASS
    example = "img/class/1.png"

    def build(self, root: Path) -> Path:
        return trees.synscapes(root, 3)

    def open(self, root: Path, size: tuple[int, int] | None = None) -> Synscapes:
        return Synscapes(root, "train", ClassSet.load("cityscapes-19"), size)

    def write(self, path: Path, ids) -> None:
        trees.write_grey(path, ids)
