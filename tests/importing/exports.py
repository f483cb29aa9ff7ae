"""Small exports of every tool, as the tool writes them, of two images 12 x 8: a road, a car on it, a hole."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (12, 8)
ROAD = [(0, 4), (12, 4), (12, 8), (0, 8)]
CAR = [(2, 3), (6, 3), (6, 6), (2, 6)]


def expected(road: int = 0, car: int = 1) -> np.ndarray:
    """The mask of `ROAD` under `CAR`: nothing above the road is labelled but the car's upper row."""
    mask = np.full((8, 12), 255, np.uint8)
    mask[4:8] = road
    mask[3:6, 2:6] = car
    return mask


def bits(polygon: list[tuple[int, int]]) -> np.ndarray:
    """The pixels of an upright rectangle, 8 x 12."""
    (left, top), (right, bottom) = polygon[0], polygon[2]
    found = np.zeros((8, 12), bool)
    found[top:bottom, left:right] = True
    return found


def images(folder: Path, *names: str, size: tuple[int, int] = SIZE) -> Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


def mask(out: Path, name: str = "a") -> np.ndarray:
    """The mask of an image in an imported dataset."""
    return np.asarray(Image.open(out / f"masks/{name}.png"))


def runs(flat: np.ndarray) -> list[int]:
    """Lengths of the runs of a flat bitmap, zeros first."""
    found, value = [0], False
    for bit in flat.tolist():
        if bit != value:
            found.append(0)
            value = bit
        found[-1] += 1
    return found


def _points(polygon: list[tuple[float, float]]) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in polygon)


def cvat(path: Path, shapes: str | None = None, name: str = "a.png") -> Path:
    """`shapes`: the inside of the image's element."""
    if shapes is None:  # the car comes first in the file, and is above by its layer
        shapes = (
            f'<polygon label="car" source="manual" occluded="0" points="{_points(CAR)}" z_order="1"></polygon>'
            f'<polygon label="road" source="manual" occluded="0" points="{_points(ROAD)}" z_order="0"></polygon>'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task><id>1</id><labels>'
        "<label><name>road</name><color>#804080</color><type>any</type><attributes></attributes></label>"
        "<label><name>car</name><color>#00008e</color><type>any</type><attributes></attributes></label>"
        f'</labels></task></meta><image id="0" name="{name}" width="12" height="8">{shapes}</image></annotations>\n'
    )
    return path


def cvat_masks(folder: Path) -> Path:
    """Unpacked; `b` is black wherever it has no label, as the tool writes it."""
    images(folder / "JPEGImages", "a.jpg")
    (folder / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad:128,64,128::\ncar:0,0,142::\n"
    )
    (folder / "ImageSets/Segmentation").mkdir(parents=True)
    (folder / "ImageSets/Segmentation/default.txt").write_text("a\n")
    colours = np.zeros((256, 3), np.uint8)
    colours[0], colours[1] = (128, 64, 128), (0, 0, 142)
    for kind in ("SegmentationClass", "SegmentationObject"):
        (folder / kind).mkdir()
        Image.fromarray(colours[expected()]).save(folder / kind / "a.png")
    return folder


def _percent(polygon: list[tuple[float, float]]) -> list[list[float]]:
    return [[100 * x / SIZE[0], 100 * y / SIZE[1]] for x, y in polygon]


def label_studio_result(kind: str, value: dict[str, Any], label: str) -> dict[str, Any]:
    return {
        "id": "x",
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "original_width": SIZE[0],
        "original_height": SIZE[1],
        "image_rotation": 0,
        "value": value | {kind: [label]},
    }


def label_studio(path: Path, results: list[dict[str, Any]] | None = None) -> Path:
    if results is None:
        results = [
            label_studio_result("polygonlabels", {"points": _percent(ROAD), "closed": True}, "road"),
            label_studio_result("polygonlabels", {"points": _percent(CAR), "closed": True}, "car"),
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    annotations = [{"id": 1, "was_cancelled": True, "result": []}, {"id": 2, "was_cancelled": False, "result": results}]
    task = {"id": 7, "data": {"image": "/data/upload/1/0a1b2c3d-a.png"}, "annotations": annotations, "predictions": []}
    path.write_text(json.dumps([task]))
    return path


def brush(mask: np.ndarray) -> list[int]:
    """A bitmap as Label Studio's editor packs it: RGBA, values of 8 bits, lengths of 3, 4, 8 and 16 bits."""
    values = np.repeat(mask.reshape(-1, 1) * 255, 4, axis=1).reshape(-1).astype(int).tolist()
    out = f"{len(values):032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    at = 0
    while at < len(values):
        run = 1
        while at + run < len(values) and values[at + run] == values[at] and run < 8:
            run += 1
        if run > 1:
            out += f"1{0:02b}{run - 1:03b}{values[at]:08b}"
        else:
            out += f"0{1:02b}{0:04b}{values[at]:08b}"
        at += run
    out += "0" * (-len(out) % 8)
    return [int(out[place : place + 8], 2) for place in range(0, len(out), 8)]


def coco_text(counts: list[int]) -> str:
    """Runs in COCO's compressed form."""
    text = ""
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            code = value & 31
            value >>= 5
            more = value != (-1 if code & 16 else 0)
            text += chr((code | 32 if more else code) + 48)
    return text


def coco_packed(polygon: list[tuple[int, int]], compressed: bool) -> dict[str, Any]:
    counts = runs(bits(polygon).T.reshape(-1))
    return {"size": [8, 12], "counts": coco_text(counts) if compressed else counts}


def coco(path: Path, road: Any = None, car: Any = None) -> Path:
    """`road`, `car`: their segmentations."""
    flat = [[float(part) for point in polygon for part in point] for polygon in (ROAD, CAR)]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "info": {},
        "images": [{"id": 5, "file_name": "a.png", "width": 12, "height": 8}],
        "categories": [{"id": 1, "name": "road"}, {"id": 3, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 1, "segmentation": road or [flat[0]], "iscrowd": 0},
            {"id": 2, "image_id": 5, "category_id": 3, "segmentation": car or [flat[1]], "iscrowd": 0},
        ],
    }
    path.write_text(json.dumps(content))
    return path


def labelme_mask(polygon: list[tuple[int, int]]) -> str:
    (left, top), (right, bottom) = polygon[0], polygon[2]
    file = io.BytesIO()
    Image.fromarray(np.ones((bottom - top, right - left), np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def labelme(folder: Path, stem: str = "a", shapes: list[dict[str, Any]] | None = None) -> Path:
    if shapes is None:
        shapes = [
            {"label": "road", "points": ROAD, "shape_type": "polygon", "group_id": None, "flags": {}},
            {"label": "car", "points": CAR, "shape_type": "polygon", "group_id": None, "flags": {}},
        ]
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": f"..\\pictures\\{stem}.png",
        "imageData": None, "imageHeight": 8, "imageWidth": 12,
    }  # fmt: skip
    (folder / f"{stem}.json").write_text(json.dumps(content))
    return folder
