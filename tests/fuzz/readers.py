"""Every reader of a user's files, with good files to damage and what reading one is."""

import io
import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

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
from pixda.data.files import read_channels, read_colours, read_ids
from pixda.data.shots import read_manifest, write_manifest
from pixda.errors import UserError
from pixda.metrics import Scores
from pixda.models import build_segmenter
from pixda.models.saved import load_model, save_model
from pixda.models.weights import read_tensors
from pixda.options import as_training, make_parser, parse, read_configs, train_parser
from pixda.predict.inputs import load_image
from pixda.training.checkpoint import fitting, load_checkpoint, position_in, save_checkpoint
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
    """All of them; `folder` takes the good model and the checkpoint."""
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
        with fitting(path):
            position_in(state, 3)

    def read_card(path: Path) -> None:
        (path.parent / "model.safetensors").write_bytes(weights)
        load_model(path.parent)

    def read_weights(path: Path) -> None:
        (path.parent / "model.json").write_text(json.dumps(card))
        load_model(path.parent)

    return [
        Reader("images", "a.png", _any(pictures), load_image),
        Reader("masks", "a.png", _any(pictures), read_mask),
        Reader("class sets (YAML)", "c.yaml", _values(CLASSES, "yaml"), ClassSet.load),
        Reader("configs (YAML)", "c.yaml", _values(CONFIG, "yaml"), read_config),
        Reader("grids (YAML)", "c.yaml", _values(GRID, "yaml"), read_grid),
        Reader("shots.json", "s.json", _values(json.loads((folder / "good.json").read_text()), "json"), read_manifest),
        Reader("kept checks", "k.json", _values(kept, "json"), read_kept),
        Reader("scores.json", "s.json", _values(scores, "json"), Scores.load),
        Reader("model.json", "model.json", _values(card, "json"), read_card),
        Reader("model.safetensors", "model.safetensors", _any(lambda: [weights, save(tensors)]), read_weights),
        Reader("checkpoint.pt", "checkpoint.pt", _any(lambda: checkpoints), read_state),
        Reader("weights (.pth)", "w.pth", _any(lambda: torch_files), read_tensors),
        Reader("weights (.safetensors)", "w.safetensors", _any(lambda: [save(tensors), weights]), read_tensors),
    ]
