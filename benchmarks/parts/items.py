"""One frame from its files to the device."""

import atexit
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from benchmarks.part import Forms, Part
from benchmarks.parts.labels import known_codes
from benchmarks.plain import data as plain
from benchmarks.setting import Setting
from pixda.data.cache import Cache
from pixda.data.check import check as check_files
from pixda.data.public_datasets import GTA5


def _frame(setting: Setting) -> tuple[Path, Path, Path]:
    """A frame of a game on disk, as large as GTA5's and about as hard to decode: root, image, mask."""
    root = Path(tempfile.mkdtemp(prefix="pixda-benchmark-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    image, mask = root / "images" / "00001.png", root / "labels" / "00001.png"
    for path in (image, mask):
        path.parent.mkdir()
    pixels = setting.images(1, 1, setting.stored)[0].permute(1, 2, 0).byte().cpu().numpy()
    Image.fromarray(pixels).save(image)
    ids = np.array([*range(7, 14), *range(17, 29), 0], np.uint8)
    patches = setting.labels(1, 2, setting.stored)[0].cpu().numpy()
    raw = Image.fromarray(ids[np.minimum(patches, 19)], "P")
    raw.putpalette(list(range(256)) * 3)
    raw.save(mask)
    return root, image, mask


def _uncached(setting: Setting) -> Forms:
    root, image, mask = _frame(setting)
    dataset = GTA5(root, "all", setting.classes, setting.size)
    known = known_codes(dataset.labels)

    def of_plain() -> tuple[Tensor, Tensor]:
        pixels, labels = plain.item(image, mask, setting.size, known)
        return pixels.to(setting.device), labels.long().to(setting.device)

    def of_product() -> tuple[Tensor, Tensor]:
        sample = dataset[0]
        return sample.image.to(setting.device).float(), sample.mask.to(setting.device).long()

    return Forms(of_plain, of_product, lambda: _same(of_product(), of_plain()))


def _cached(setting: Setting) -> Forms:
    root, image, mask = _frame(setting)
    dataset = GTA5(root, "all", setting.classes, setting.size)
    known = known_codes(dataset.labels)
    cache = Cache(root / "cache", dataset)
    check_files(dataset, samples=cache).raise_if_bad()
    dataset.stored = cache.stored()

    def of_plain() -> tuple[Tensor, Tensor]:
        return plain.item(image, mask, setting.size, known)

    def of_product() -> tuple[Tensor, Tensor]:
        sample = dataset[0]
        return sample.image, sample.mask

    return Forms(of_plain, of_product, lambda: _same(of_product(), of_plain()))


def _same(product: tuple[Tensor, Tensor], plain: tuple[Tensor, Tensor]) -> str:
    """Image and mask to the last bit; the plain one's channels are the other way round."""
    assert (product[0] == plain[0].flip(0)).all()
    assert (product[1] == plain[1]).all()
    return "exact"


PARTS = [
    Part("item", "a source frame from its PNG files", _uncached, at_least=1.25),
    Part("cached_item", "a source frame from the cache", _cached, at_least=100),
]
