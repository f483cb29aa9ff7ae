"""PixDA's datasets in a loop of your own: ``python examples/datasets_in_pytorch.py FOLDER`` (images, masks)."""

import sys
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from pixda.data.classes import ClassSet
from pixda.data.config import Data
from pixda.data.open import open_dataset


def main(root: Path) -> None:
    classes = ClassSet.load("cityscapes-19")
    # Also "gta5", "synthia", "idda", "urbansyn", "synscapes", "cityscapes", "camvid", "streets". Raw label ids become
    # class indices 0..18, and 255 where a pixel has no class.
    data = Data("folder", root, "all", scheme="cityscapes")
    dataset = open_dataset(data, classes, size=(256, 128))
    loader = DataLoader(dataset, batch_size=2, shuffle=True)

    pixels = torch.zeros(len(classes.names), dtype=torch.long)
    for images, masks, names, _cities in loader:
        assert images.dtype == torch.uint8  # B x 3 x H x W, RGB, 0..255
        pixels += torch.bincount(masks[masks != 255].long(), minlength=len(pixels))
        print(f"{', '.join(names)}: images {tuple(images.shape)}, masks {tuple(masks.shape)}")
    for name, count in zip(classes.names, pixels.tolist(), strict=True):
        if count:
            print(f"{name:15} {count / pixels.sum():6.1%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
