"""What the tests of comparisons share: a small grid on `two_domains`, what it leaves, and waiting."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


def small_grid(root: Path, **changes: Any) -> dict[str, Any]:
    """Three rows, one of which trains nothing after the first stage, two seeds."""
    return {
        "title": "Two folders",
        "preset": "small",
        "experiment": {
            "source": {"dataset": "folder", "root": str(root / "source"), "split": "all", "scheme": "cityscapes"},
            "target": {"dataset": "folder", "root": str(root / "target"), "scheme": "cityscapes"},
            "size": [64, 48],
            "network": {"architecture": "tiny"},
            "machine": {"accelerator": "cpu", "threads": 1, "workers": 0},
            "checkpoint_every": 2,
        },
        "recipe": {"crop": [48, 32], "batch": 2, "pretrain_steps": 6, "joint_steps": 4, "adaptation_steps": 4},
        "rows": {
            "first stage": {"method": "source_only", "recipe": {"more_steps": 0}},
            "joint": {"method": "joint"},
            "PixDA": {
                "method": "pixda",
                "recipe": {"distillation": {"steps": 2}, "alignment": {"discriminators_at": "image"}},
            },
        },
        "shots": [1],
        "seeds": [0, 1],
    } | changes


def write_grid(path: Path, grid: dict[str, Any]) -> Path:
    """The file that `pixda compare` takes."""
    path.write_text(yaml.safe_dump(grid, sort_keys=False))
    return path


def start(grid: Path, out: Path) -> subprocess.Popen[str]:
    """`pixda compare` in a process of its own, to be stopped."""
    command = [sys.executable, "-m", "pixda", "compare", str(grid), f"--out={out}", "--at_once=2"]
    return subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def without_joint(finished: Path, out: Path) -> Path:
    """A copy of a finished comparison that lacks its tables and the row of joint training, with what is made of it."""
    shutil.copytree(finished, out, ignore=shutil.ignore_patterns("joint_*", "mean*", "table*", ".lock"))
    return out


def models(out: Path) -> dict[str, bytes]:
    """Run, by its folder -> the bytes of its model."""
    files = (out / "runs").rglob("model.safetensors")
    return {str(path.parent.relative_to(out / "runs")): path.read_bytes() for path in files}


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    """Until something is true, which it must be before long."""
    limit = time.monotonic() + seconds
    while not true() and time.monotonic() < limit:
        time.sleep(0.02)
    assert true()
