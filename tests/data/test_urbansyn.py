from pathlib import Path

import trees
from contract import DatasetContract

from pixda.data.classes import ClassSet
from pixda.data.urbansyn import UrbanSyn


class TestUrbanSyn(DatasetContract):
    frames = (("0001", "all"), ("0002", "all"), ("0003", "all"))
    ids = trees.URBANSYN_IDS
    to_class = {number: number for number in range(19)}  # noqa: RUF012 (the contract's form)
    example = "ss/ss_0001.png"

    def build(self, root: Path) -> Path:
        return trees.urbansyn(root, 3)

    def open(self, root: Path, size: tuple[int, int] | None = None) -> UrbanSyn:
        return UrbanSyn(root, "train", ClassSet.load("cityscapes-19"), size)

    def write(self, path: Path, ids) -> None:
        trees.write_grey(path, ids)
