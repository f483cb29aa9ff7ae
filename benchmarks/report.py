"""What was measured, as JSON and as a page."""

import json
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks import start
from benchmarks.ceilings import Ceilings
from benchmarks.measuring import Measured
from benchmarks.memory import WAYS, Peak
from benchmarks.setting import Setting
from pixda import __version__

MEMORY_GOAL, STEP_GOAL = 0.9, 1.4

_HEAD = """\
# How fast the parts are

Made by `make bench`; the numbers behind it lie beside this page as JSON. Every part runs in two forms in turns: the
**plain** one is the equation in the released code's way (`benchmarks/plain/`), the **product's** is imported from
`pixda`. Before a part is timed, both forms are compared with each other or with an oracle in float64. Each form runs in
a process of its own: the product's takes its memory as a run does (`--machine.hold_memory`), the plain one
as the system gives it.
"""

_FOOT = """\
× is the median of the ratios of neighbouring runs. Of the ceiling: operations a second of the product's form over the
convolutions' ceiling or, where moving bytes is the work, the least bytes a second over the copies' ceiling."""


def describe(setting: Setting, quick: bool) -> dict[str, Any]:
    """The machine and the sizes."""
    cuda = setting.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(setting.device) if cuda else _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "pixda": __version__,
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "size": setting.size,
        "batch": setting.batch,
        "step_batch": setting.step_batch,
        "network": setting.network,
        "quick": quick,
    }


def write(
    page: Path,
    machine: dict[str, Any],
    ceilings: Ceilings,
    parts: dict[str, Measured],
    peaks: dict[str, Peak] | None,
    starts: list[float] | None = None,
) -> None:
    """Write ``page`` and, beside it, the same as JSON; called after every part, so that a stop loses nothing."""
    page.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "machine": machine,
        "ceilings": asdict(ceilings),
        "parts": {name: asdict(part) for name, part in parts.items()},
        "whole_step": None if peaks is None else {way: asdict(peak) for way, peak in peaks.items()},
        "seconds_to_the_first_step": starts,
    }
    page.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    page.write_text("\n".join(_page(machine, ceilings, parts, peaks, starts)) + "\n")


def row(part: Measured, ceilings: Ceilings) -> str:
    """One line of the table."""
    ratio = f"{part.ratio:.2f}" if part.ratio < 10 else f"{part.ratio:.0f}"
    if part.goal.startswith("≤"):
        ratio = f"1 / {1 / part.ratio:.2f}"
    cells = [
        part.title,
        _ms(part.plain),
        _ms(part.product),
        ratio,
        f"{part.spread[0]:.3g}–{part.spread[1]:.3g}",
        f"{part.goal}{'' if part.reached else ' (missed)'}",
        _of_ceiling(part, ceilings),
        part.agreement,
    ]
    return f"| {' | '.join(cells)} |"


def _page(
    machine: dict[str, Any],
    ceilings: Ceilings,
    parts: dict[str, Measured],
    peaks: dict[str, Peak] | None,
    starts: list[float] | None,
) -> list[str]:
    width, height = machine["size"]
    lines = [
        _HEAD,
        f"{machine['device']}, {machine['threads']} threads, torch {machine['torch']}, {machine['when']};",
        f"{width} x {height}, batch {machine['batch']} unless said, {machine['network']}, random weights.",
        "",
        f"Ceilings of this machine, measured in the same run, float32: matrix products {ceilings.matmul:.0f} GFLOP/s,",
        f"convolutions {ceilings.convolution:.0f} (channels first {ceilings.convolution_channels_first:.0f}),",
        f"copies {ceilings.copy:.0f} GB/s.",
        "",
        "| part | plain, ms | product, ms | × | quartiles | goal | of the ceiling | agreement |",
        "|---|---|---|---|---|---|---|---|",
        *(row(part, ceilings) for part in parts.values()),
        "",
        _FOOT,
    ]
    if peaks is not None:
        plain, each = peaks["plain"], machine["step_batch"]
        lines += [
            "",
            f"The whole step, batch {each} + {each}, in a process of its own, by how it takes memory: the most of it",
            f"(goal ≤ {MEMORY_GOAL:g} of the plain form's), and seconds of the second step",
            f"(goal ≥ {STEP_GOAL:g} times as fast).",
            "",
            "| | GiB | of plain | s | × |",
            "|---|---|---|---|---|",
        ]
        for way, peak in peaks.items():
            numbers = f"{peak.gib:.2f} | {peak.gib / plain.gib:.2f} | {peak.seconds:.1f}"
            lines.append(f"| {WAYS[way]} | {numbers} | {plain.seconds / peak.seconds:.2f} |")
    if starts is not None:
        lines += [
            "",
            f"From `pixda train` to the end of its first step, {start.FRAMES} source frames, a warm cache, the small",
            f"network: {', '.join(f'{seconds:.1f}' for seconds in starts)} s (goal < 5).",
        ]
    return lines


def _of_ceiling(part: Measured, ceilings: Ceilings) -> str:
    if part.traffic:
        return f"{part.traffic / part.product / 1e9 / ceilings.copy:.0%} of copies"
    if part.flops > 1e9:
        return f"{part.flops / part.product / 1e9 / ceilings.convolution:.0%} of convolutions"
    return ""


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f}" if seconds < 0.1 else f"{1000 * seconds:.0f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
