"""Look-alike dataset trees: true folder and file names, true PNG kinds, small pictures, stripes for masks."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIZE = (72, 36)  # width, height

CITYSCAPES_IDS = tuple(range(34))
URBANSYN_IDS = tuple(range(20))  # 19 has no label
GTA5_IDS = tuple(range(35))  # 34 is the licence plate
SYNTHIA_IDS = tuple(range(23))
IDDA_IDS = tuple(range(24))
CAMVID_IDS = tuple(range(12))

CITYSCAPES_COLOURS = {
    7: (128, 64, 128), 8: (244, 35, 232), 11: (70, 70, 70), 12: (102, 102, 156), 13: (190, 153, 153),
    17: (153, 153, 153), 19: (250, 170, 30), 20: (220, 220, 0), 21: (107, 142, 35), 22: (152, 251, 152),
    23: (70, 130, 180), 24: (220, 20, 60), 25: (255, 0, 0), 26: (0, 0, 142), 27: (0, 0, 70), 28: (0, 60, 100),
    31: (0, 80, 100), 32: (0, 0, 230), 33: (119, 11, 32), 34: (0, 0, 142),
}  # fmt: skip


def stripes(ids: Sequence[int], size: tuple[int, int] = SIZE) -> np.ndarray:
    """Vertical stripes of all `ids`, from left to right, uint8 (H x W)."""
    width, height = size
    places = np.arange(width) * len(ids) // width
    return np.tile(np.array(ids, np.uint8)[places], (height, 1))


def write_image(path: Path, seed: int, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)


def write_grey(path: Path, ids: np.ndarray) -> None:
    """8-bit grey PNG: Cityscapes `labelIds`, CamVid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids).save(path)


def write_palette(path: Path, ids: np.ndarray) -> None:
    """Palette PNG (mode P) whose indices are Cityscapes ids: GTA5. Two indices share a colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(ids).convert("P")
    mask.putdata(ids.ravel().tolist())
    palette = [part for raw in range(256) for part in CITYSCAPES_COLOURS.get(raw, (0, 0, 0))]
    mask.putpalette(palette)
    mask.save(path)


def write_synthia(path: Path, ids: np.ndarray) -> None:
    """16-bit PNG with three channels: class in red, an instance number (often above 255) in green."""
    path.parent.mkdir(parents=True, exist_ok=True)
    instances = np.arange(ids.size, dtype=np.uint16).reshape(ids.shape) + 300
    blue_green_red = np.stack([np.zeros_like(instances), instances, ids.astype(np.uint16)], axis=-1)
    path.write_bytes(cv2.imencode(".png", blue_green_red)[1].tobytes())


def write_idda(path: Path, ids: np.ndarray) -> None:
    """8-bit RGBA PNG: class in red, and in the other channels what must not be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.arange(ids.size, dtype=np.uint8).reshape(ids.shape)
    Image.fromarray(np.stack([ids, noise, 255 - noise, np.full_like(ids, 255)], axis=-1)).save(path)


def cityscapes(root: Path, frames: Mapping[str, Mapping[str, int]]) -> Path:
    """`frames`: split to city to number of frames."""
    for split, cities in frames.items():
        for city, count in cities.items():
            for number in range(count):
                name = f"{split}/{city}/{city}_{number:06d}_000019"
                write_image(root / f"leftImg8bit/{name}_leftImg8bit.png", number)
                write_grey(root / f"gtFine/{name}_gtFine_labelIds.png", stripes(CITYSCAPES_IDS))
                write_grey(root / f"gtFine/{name}_gtFine_instanceIds.png", stripes((1, 2)))
                (root / f"gtFine/{name}_gtFine_polygons.json").write_text("{}")
    return root


def gta5(root: Path, numbers: Iterable[int]) -> Path:
    for number in numbers:
        write_image(root / f"images/{number:05d}.png", number)
        write_palette(root / f"labels/{number:05d}.png", stripes(GTA5_IDS))
    return root


def synthia(root: Path, count: int) -> Path:
    for number in range(count):
        write_image(root / f"RGB/{number:07d}.png", number)
        write_synthia(root / f"GT/LABELS/{number:07d}.png", stripes(SYNTHIA_IDS))
        write_image(root / f"GT/COLOR/{number:07d}.png", number)
    return root


def urbansyn(root: Path, count: int) -> Path:
    for number in range(1, count + 1):
        write_image(root / f"rgb/rgb_{number:04d}.png", number)
        write_grey(root / f"ss/ss_{number:04d}.png", stripes(URBANSYN_IDS))
    return root


def synscapes(root: Path, count: int) -> Path:
    for number in range(1, count + 1):
        write_image(root / f"img/rgb/{number}.png", number)
        write_grey(root / f"img/class/{number}.png", stripes(CITYSCAPES_IDS))
        write_image(root / f"img/rgb-2k/{number}.png", number)
    return root


def idda(root: Path, frames: Mapping[str, int]) -> Path:
    """`frames`: scenario to number of frames."""
    for scenario, count in frames.items():
        for number in range(count):
            name = f"{number:06d}_{scenario}"
            write_image(root / f"{scenario}/RGB/{name}.jpg", number)
            write_idda(root / f"{scenario}/Semantic/{name}.png", stripes(IDDA_IDS))
    (root / "README").mkdir(parents=True, exist_ok=True)
    (root / "README/idda_info.json").write_text("{}")
    return root


def camvid(root: Path, frames: Mapping[str, Sequence[str]]) -> Path:
    """`frames`: split to frame names such as "0001TP_006690"."""
    rows = []
    for split, names in frames.items():
        for number, name in enumerate(names):
            image, label = f"images/{split}/{name}.jpg", f"labels/{split}/{name}.png"
            write_image(root / image, number)
            write_grey(root / label, stripes(CAMVID_IDS))
            rows.append((split, name.split("_")[0], name, image, label))
    with (root / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("split", "sequence", "frame", "image", "label"), *rows])
    return root


def folder(
    root: Path,
    names: Sequence[str],
    ids: Sequence[int],
    masks: str = "masks",
    write: Callable[[Path, np.ndarray], None] = write_grey,
) -> Path:
    """`names`: image paths below images/, such as "train/rome/a.jpg"."""
    for number, name in enumerate(names):
        write_image(root / "images" / name, number)
        write((root / masks / name).with_suffix(".png"), stripes(ids))
    return root
