"""How long a user waits for the first step: ``python -m benchmarks.start`` in a child, told by :func:`seconds`."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

FRAMES, SIZE = 100, "[160,120]"


def seconds(times: int = 3) -> list[float]:
    """Of so many runs, from the command to the end of the first step, after one that makes data and cache."""
    with tempfile.TemporaryDirectory() as name:
        return [_run(Path(name), number) for number in range(times + 1)][1:]


def _run(folder: Path, number: int) -> float:
    options = {
        "method": "joint",
        "preset": "small",
        "source.dataset": "streets",
        "source.root": folder / "world",
        "source.split": "rendered",
        "source.streets.count": FRAMES,
        "source.streets.size": SIZE,
        "target.dataset": "streets",
        "target.root": folder / "world",
        "target.split": "camera-train",
        "target.test_split": "camera-val",
        "target.streets.count": 8,
        "target.streets.size": SIZE,
        "size": SIZE,
        "network.architecture": "mobile_deeplab",
        "recipe.crop": "null",
        "recipe.pretrain_steps": 1,
        "recipe.joint_steps": 1,
        "machine.cache": folder / "cache",
        "out": folder / f"run{number}",
    }
    words = ["train", *(f"--{name}={value}" for name, value in options.items())]
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.start", *words],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    (line,) = (line for line in done.stderr.decode().splitlines() if line.startswith("first step at "))
    return float(line.removeprefix("first step at ")) - began


def main() -> None:
    """``pixda`` with these words, which says when its first step is done."""
    from pixda.__main__ import main as pixda
    from pixda.training.loop import Run

    count = Run._count_step

    def tell(run: Run, phase: object) -> None:
        if not run.steps_done:
            print(f"first step at {time.time()}", file=sys.stderr, flush=True)
        count(run, phase)  # type: ignore[arg-type]

    Run._count_step = tell  # type: ignore[method-assign]
    raise SystemExit(pixda(sys.argv[1:]))


if __name__ == "__main__":
    main()
