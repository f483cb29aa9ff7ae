"""Every reader of a user's files, with good files to damage and what reading one is."""

import base64
import copy
import io
import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import torch
import tripwire
import yaml
from damage import as_text, damaged, strange
from PIL import Image
from safetensors.torch import save

from pixda.comparison.grid import Grid, plan
from pixda.data import check
from pixda.data.classes import ClassSet
from pixda.data.exports import Kind
from pixda.data.files import known_formats, read_channels, read_colours, read_ids
from pixda.data.shots import read_manifest, write_manifest
from pixda.errors import UserError
from pixda.importing.kinds import READERS as EXPORTS
from pixda.importing.regions import paint
from pixda.metrics import Scores
from pixda.models import build_segmenter
from pixda.models.saved import load_model, save_model
from pixda.models.weights import read_tensors
from pixda.options import as_training, make_parser, parse, read_configs, train_parser
from pixda.predict import video
from pixda.predict.inputs import load_image
from pixda.training.checkpoint import load_checkpoint, mismatch_explained, position_in, save_checkpoint
from runs import account

CLASSES = {
    "name": "two",
    "classes": {
        "road": {"colour": [128, 64, 128], "own": [7, "0-3"], "painted": "#804080"},
        "sky": {"colour": [0, 0, 255], "own": 23, "painted": [[1, 2, 3], "#0000ff"]},
    },
    "ignore": {"own": [255]},
    "protocols": {"1": ["road"]},
}
DATA = {"dataset": "folder", "root": "x", "split": "all", "scheme": "cityscapes"}
CONFIG = {
    "method": "pixda",
    "preset": "small",
    "source": DATA,
    "target": {**DATA, "shots": 1, "shot_list": "drawn", "test_split": "val"},
    "more_sources": [DATA],
    "size": [64, 48],
    "network": {"architecture": "tiny", "options": {"width": 1.5}},
    "recipe": {"batch": 2, "crop": [48, 32], "segmenter": {"lr": 0.003}, "selection": {"delta": 0.7}},
    "machine": {"accelerator": "cpu", "threads": 1},
    "seed": 3,
}
GRID = {
    "title": "t",
    "experiment": {key: CONFIG[key] for key in ("source", "target", "size", "network")},
    "rows": {"a": {"method": "pixda", "recipe": {"batch": 2}}, "b": {"method": "joint"}},
    "shots": [1, 2],
    "seeds": [0],
    "splits": {"far": {"source": {"split": "train"}}},
    "preset": "small",
}


CVAT = b"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels><label><name>road</name><color>#804080</color></label></labels>
</task></meta><image id="0" name="a.png" width="12" height="8">
<polygon label="road" points="0.0,4.0;12.0,4.0;12.0,8.0" z_order="0"></polygon>
<mask label="car" rle="0, 12" left="2" top="3" width="4" height="3" z_order="1"></mask>
<box label="car" xtl="1" ytl="1" xbr="3" ybr="3" rotation="20" z_order="2"></box>
<ellipse label="car" cx="6" cy="4" rx="4" ry="2" z_order="0"></ellipse></image></annotations>
"""
ENTITIES = b"""<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]><annotations>&c;</annotations>"""
LABEL_STUDIO = [
    {
        "id": 7,
        "data": {"image": "/data/upload/1/0a1b2c3d-a.png"},
        "annotations": [
            {
                "was_cancelled": False,
                "result": [
                    {"type": kind, "original_width": 2, "original_height": 1, "image_rotation": 0, "value": value}
                    for kind, value in (
                        ("polygonlabels", {"points": [[0, 50], [100, 50], [100, 100]], "polygonlabels": ["road"]}),
                        ("rectanglelabels", {"x": 0, "y": 0, "width": 9, "height": 9, "rectanglelabels": ["car"]}),
                        ("ellipselabels", {"x": 9, "y": 9, "radiusX": 9, "radiusY": 9, "ellipselabels": ["car"]}),
                        # 8 values of 8 bits; lengths of 1, 1, 1 and 3 bits; 255 eight times.
                        (
                            "brushlabels",
                            {"format": "rle", "rle": [0, 0, 0, 8, 56, 0, 23, 255, 224], "brushlabels": ["car"]},
                        ),
                    )
                ],
            }
        ],
    }
]
COCO = {
    "images": [{"id": 5, "file_name": "a.png", "width": 12, "height": 8}],
    "categories": [{"id": 1, "name": "road"}],
    "annotations": [
        {"id": number, "image_id": 5, "category_id": 1, "segmentation": segmentation}
        for number, segmentation in enumerate(
            ([[0, 4, 12, 4, 12, 8]], {"size": [8, 12], "counts": [0, 96]}, {"size": [8, 12], "counts": "0P3"})
        )
    ],
}
LABELME = {
    "shapes": [
        {"label": "road", "points": [[0, 4], [12, 4], [12, 8]], "shape_type": "polygon"},
        {"label": "road", "points": [[0, 4], [12, 8]], "shape_type": "rectangle"},
        {"label": "car", "points": [[6, 4], [8, 4]], "shape_type": "circle"},
    ],
    "imagePath": "a.png",
    "imageWidth": 12,
    "imageHeight": 8,
}
COLOUR_TABLE = b"# label:color_rgb:parts:actions\nbackground:0,0,0::\nroad:128,64,128::\ncar:0,0,142::\n"


@dataclass
class Reader:
    """One reader: `make` gives an input's bytes, `read` lets it be read from a file of the name."""

    name: str
    file: str
    make: Callable[[Random], bytes]
    read: Callable[[Path], object]
    counts: dict[str, int] = field(default_factory=lambda: {"inputs": 0, "refused": 0, "accepted": 0})


def _picture(mode: str, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (12, 17, 4), np.uint8)
    image = Image.fromarray(pixels, "RGBA").convert("RGB" if mode in ("P", "I;16") else mode)
    image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    image.save(file, kind, **how)
    return file.getvalue()


@cache
def pictures() -> list[bytes]:
    """Small files of every format that is read."""
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = io.BytesIO()
    Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save(deep, "PNG")
    import cv2

    synthia = cv2.imencode(".png", np.full((9, 8, 3), 7, np.uint16))[1].tobytes()
    return [
        _picture("RGB", "PNG"), _picture("P", "PNG"), _picture("L", "PNG"), _picture("RGBA", "PNG"),
        _picture("I;16", "PNG"), _picture("1", "PNG"), _picture("LA", "PNG"), _picture("RGB", "JPEG", exif=exif),
        _picture("CMYK", "JPEG"), _picture("L", "JPEG", progressive=True), _picture("RGB", "WEBP", exif=exif),
        _picture("RGBA", "WEBP", lossless=True), _picture("RGB", "BMP"), _picture("P", "BMP"), _picture("RGB", "TIFF"),
        _picture("L", "TIFF", compression="tiff_lzw"), _picture("RGB", "TIFF", compression="tiff_adobe_deflate"),
        _picture("RGB", "PNG", exif=exif), deep.getvalue(), synthia,
    ]  # fmt: skip


@cache
def telephone_pictures() -> list[bytes]:
    """HEIF with and without a turn; none where the extra is not installed."""
    if "HEIF" not in known_formats():
        return []
    exif = Image.Exif()
    exif[0x0112] = 6
    return [_picture("RGB", "HEIF", exif=exif), _picture("RGBA", "HEIF"), _picture("L", "HEIF", quality=-1)]


@cache
def videos() -> list[bytes]:
    """A few frames in each of some containers and codecs."""
    made = []
    kinds = (("mp4", "libx264"), ("matroska", "libx264"), ("avi", "mjpeg"), ("mpegts", "mpeg4"), ("mov", "mpeg4"))
    for kind, codec in kinds:
        memory = io.BytesIO()
        with av.open(memory, "w", format=kind) as file:
            stream = file.add_stream(codec, rate=25)
            stream.width, stream.height = 48, 32
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(5):
                pixels = np.full((32, 48, 3), 40 * number, np.uint8)
                file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            file.mux(stream.encode(None))
        made.append(memory.getvalue())
    return made


@cache
def confusing() -> list[bytes]:
    """Files of other kinds, some of which other readers would run or unpack."""
    other = [_picture(mode, kind) for mode, kind in (("P", "GIF"), ("RGB", "EPS"), ("RGB", "PDF"), ("RGB", "ICO"))]
    html = b"<svg onload='x'/>"
    return [*other, html, b"#!/bin/sh\ntouch x\n", b"PK\x03\x04" + bytes(60), b"", b"\x80\x04.", evil_pickle()]


@cache
def evil_pickle() -> bytes:
    """What runs code when it is unpickled by a reader that lets it."""
    sys.modules["pixda_tripwire"] = tripwire.payload_module()
    try:
        return pickle.dumps({"state_dict": tripwire.Evil.__new__(tripwire.Evil)}, protocol=2)
    finally:
        del sys.modules["pixda_tripwire"]


def _torch_file(content: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


@cache
def evil_torch_files() -> list[bytes]:
    """PyTorch files whose pickle calls a function, of the new kind and of the old."""
    sys.modules["pixda_tripwire"] = tripwire.payload_module()
    try:
        content = {"a": torch.zeros(2), "b": tripwire.Evil.__new__(tripwire.Evil)}
        return [_torch_file(content), _torch_file(content, _use_new_zipfile_serialization=False)]
    finally:
        del sys.modules["pixda_tripwire"]


def _any(files: Callable[[], list[bytes]]) -> Callable[[Random], bytes]:
    def make(random: Random) -> bytes:
        return damaged(random.choice(files()), [*confusing(), *files()], random)

    return make


def _values(good: Any, kind: str) -> Callable[[Random], bytes]:
    """Half of the inputs are well-formed text of strange values, half are damaged text."""
    text = (yaml.safe_dump(good, sort_keys=False) if kind == "yaml" else json.dumps(good, indent=1)).encode()

    def make(random: Random) -> bytes:
        if random.random() < 0.5:
            return as_text(strange(good, random), random)
        return damaged(text, confusing(), random)

    return make


def readers(folder: Path) -> list[Reader]:
    """All of them; `folder` takes good files while they are made."""
    classes = ClassSet.load("camvid-11")
    model = folder / "model"
    model.mkdir()
    save_model(model, build_segmenter("tiny", classes), account())
    weights, card = (model / "model.safetensors").read_bytes(), json.loads((model / "model.json").read_text())
    state = {
        "config": {"seed": 0}, "position": {"phase": 0, "epoch": 0, "batch": 1, "step": 1}, "selections": [],
        "steps_done": {"pretrain": 1}, "trainees": {"segmenter": {"network": {"a": torch.ones(3, 2)}, "steps": 1}},
        "random": {"torch": torch.get_rng_state()[:64]},
    }  # fmt: skip
    save_checkpoint(folder / "checkpoint.pt", state)
    checkpoints = [(folder / "checkpoint.pt").read_bytes(), evil_torch_files()[0]]
    tensors = {"conv1.weight": torch.ones(2, 3), "bn.running_mean": torch.ones(2).half()}
    torch_files = [_torch_file(tensors), _torch_file({"state_dict": tensors}, _use_new_zipfile_serialization=False)]
    torch_files += evil_torch_files()
    write_manifest(folder / "good.json", ["a/1", "b/2"], "drawn, seed 0")
    share = {"road": 0.5, "sky": None}
    scores = {"split": "val", "frames": 3, "network_size": [64, 48], "iou": share, "mean": {"2": 0.5}}
    scores |= {"pixel_share": {"road": 0.9, "sky": 0.1}, "pixel_accuracy": 0.9}
    kept = {"frames": 1, "names": ["road"], "pixels": [4], "ignored": 0, "unknown": 0, "problems": [], "warnings": []}
    kept |= {"images": {"4 x 4": 1}, "masks": {"4 x 4": 1}, "codes": {"7": 4}, "digests": {"a": "00"}}
    parser, grid = train_parser("pixda", "small"), make_parser("compare", "")
    grid.add_argument("--config", action="config")
    grid.add_class_arguments(Grid)

    def read_mask(path: Path) -> None:
        # Each is a reader of its own; only one of them may take a given file.
        refused = []
        for read in (read_ids, read_colours, read_channels):
            try:
                read(path)
            except UserError as error:
                refused.append(error)
        if len(refused) == 3:
            raise refused[0]

    def read_kept(path: Path) -> None:
        if check._read(path) is None:
            raise UserError("The check is made again.")

    def read_config(path: Path) -> None:
        words = ["--config", str(path)]
        read_configs(words)
        as_training("pixda", "small", parse(parser, words))

    def read_grid(path: Path) -> None:
        words = ["--config", str(path)]
        read_configs(words)
        given = parse(grid, words)
        plan(Grid(**{name: given[name] for name in Grid.__dataclass_fields__}))

    def read_state(path: Path) -> None:
        state = load_checkpoint(path, {"seed": 0}, {})
        with mismatch_explained(path):
            position_in(state, 3)

    def read_card(path: Path) -> None:
        (path.parent / "model.safetensors").write_bytes(weights)
        load_model(path.parent)

    def read_weights(path: Path) -> None:
        (path.parent / "model.json").write_text(json.dumps(card))
        load_model(path.parent)

    def read_drawn(kind: Kind) -> Callable[[Path], None]:
        def read(path: Path) -> None:
            export = EXPORTS[kind](path)
            for image in export.images[:20]:  # a list may hold its entries 100 times 100 times
                try:
                    paint(image.regions[:500], (12, 8), dict.fromkeys(export.labels, 0))
                except ValueError as error:  # which the import says with the image's name
                    raise UserError("What is drawn is damaged.") from error

        return read

    def read_video(path: Path) -> None:
        damage: list[str] = []
        with video._opened(path) as file:
            stream = file.streams.video[0]
            times = video._Times(stream)
            shown = []
            for frame in islice(video._frames(file, stream, damage), 50):
                shown.append(times.of(frame))
                video._upright(frame)
        if not shown:
            raise video._undecodable(path, stream, damage)
        assert all(earlier < later for earlier, later in pairwise(shown))

    def read_table(path: Path) -> None:
        (path.parent / "SegmentationClass").mkdir(exist_ok=True)
        (path.parent / "SegmentationClass/a.png").write_bytes(_picture("RGB", "PNG"))
        EXPORTS["cvat-masks"](path.parent)

    drawn_in_labelme = copy.deepcopy(LABELME)
    packed = base64.b64encode(_picture("L", "PNG")).decode()
    drawn_in_labelme["shapes"] += [{"label": "x", "points": [[0, 0], [1, 1]], "shape_type": "mask", "mask": packed}]

    return [
        Reader("images", "a.png", _any(pictures), load_image),
        Reader("masks", "a.png", _any(pictures), read_mask),
        Reader("videos", "a.mp4", _any(videos), read_video),
        Reader("class sets (YAML)", "c.yaml", _values(CLASSES, "yaml"), ClassSet.load),
        Reader("configs (YAML)", "c.yaml", _values(CONFIG, "yaml"), read_config),
        Reader("grids (YAML)", "c.yaml", _values(GRID, "yaml"), read_grid),
        Reader("shots.json", "s.json", _values(json.loads((folder / "good.json").read_text()), "json"), read_manifest),
        Reader("shots.txt", "s.txt", _any(lambda: [b"\xef\xbb\xbf# by hand\r\na/1.png\r\nb/2\r\n"]), read_manifest),
        Reader("kept checks", "k.json", _values(kept, "json"), read_kept),
        Reader("scores.json", "s.json", _values(scores, "json"), Scores.load),
        Reader("model.json", "model.json", _values(card, "json"), read_card),
        Reader("model.safetensors", "model.safetensors", _any(lambda: [weights, save(tensors)]), read_weights),
        Reader("checkpoint.pt", "checkpoint.pt", _any(lambda: checkpoints), read_state),
        Reader("weights (.pth)", "w.pth", _any(lambda: torch_files), read_tensors),
        Reader("CVAT (XML)", "a.xml", _any(lambda: [CVAT, ENTITIES]), read_drawn("cvat")),
        Reader("CVAT's colours", "labelmap.txt", _any(lambda: [COLOUR_TABLE]), read_table),
        Reader("Label Studio (JSON)", "a.json", _values(LABEL_STUDIO, "json"), read_drawn("label-studio")),
        Reader("COCO (JSON)", "a.json", _values(COCO, "json"), read_drawn("coco")),
        Reader("Labelme (JSON)", "a.json", _values(drawn_in_labelme, "json"), read_drawn("labelme")),
        *([Reader("HEIF", "a.heic", _any(telephone_pictures), load_image)] if telephone_pictures() else []),
        Reader("weights (.safetensors)", "w.safetensors", _any(lambda: [save(tensors), weights]), read_tensors),
    ]
