"""Times of two forms in turns, so that whatever else the machine does meets both alike."""

import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.part import Part
from benchmarks.setting import Setting
from benchmarks.worker import Worker


@dataclass(frozen=True)
class Measured:
    """One part, measured."""

    title: str
    agreement: str
    plain: float
    """Median seconds."""
    product: float
    """Median seconds."""
    ratio: float
    """Median of the ratios of neighbours: plain over product."""
    spread: tuple[float, float]
    """Quartiles of these ratios."""
    processor_ratio: float
    """The same of processor time: hardly disturbed by what else is running, but blind to waiting."""
    runs: int
    goal: str
    reached: bool
    flops: float
    """Floating-point operations of convolutions and matrix products in the product's form."""
    traffic: float
    """Bytes that must be moved at the least; 0 where arithmetic is what takes the time."""


def measure(part: Part, setting: Setting, seconds: float) -> Measured:
    """Check that the forms agree, then time them in turns for about so many seconds, three turns at least.

    Each has a process of its own, the plain one with memory as the system gives it: how a run of the product takes
    its memory is part of the product.
    """
    with Worker(part.name, "check", setting, as_in_a_run=False) as one:
        found = one.answer()
    turns: list[tuple[float, float, float, float]] = []
    with (
        Worker(part.name, "plain", setting, as_in_a_run=part.at_most is not None) as plainly,
        Worker(part.name, "product", setting, as_in_a_run=True) as fast,
    ):
        plainly.turn(), fast.turn()  # what is made with the first run is not counted
        began = time.perf_counter()
        while len(turns) < 3 or (time.perf_counter() - began < seconds and len(turns) < 200):
            turns.append((*plainly.turn(), *fast.turn()))
    ratios = [plain / product for plain, _, product, _ in turns]
    ratio = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4)
    return Measured(
        title=part.title,
        agreement=found["agreement"],
        plain=statistics.median(turn[0] for turn in turns),
        product=statistics.median(turn[2] for turn in turns),
        ratio=ratio,
        spread=(low, high),
        processor_ratio=statistics.median(plain / max(product, 1e-9) for _, plain, _, product in turns),
        runs=len(turns),
        goal=_goal(part),
        reached=part.reached(ratio),
        flops=found["flops"],
        traffic=found["traffic"],
    )


def timed(run: Callable[[], object], setting: Setting) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    if setting.device.type == "cuda":
        torch.cuda.synchronize(setting.device)
    wall, processor = time.perf_counter(), time.process_time()
    run()
    if setting.device.type == "cuda":
        torch.cuda.synchronize(setting.device)
    return time.perf_counter() - wall, time.process_time() - processor


def flops_of(run: Callable[[], object]) -> float:
    """Floating-point operations of one run."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _InAll()  # type: ignore[assignment]
    with counter:
        run()
    return float(counter.get_total_flops())


class _InAll(nullcontext[None]):
    """No account by modules: the hooks for it do not bear a gradient that is asked for within another."""

    parents = ("Global",)


def _goal(part: Part) -> str:
    if part.at_most is not None:
        return f"≤ {part.at_most:g} × as long"
    return "" if part.at_least is None else f"≥ {part.at_least:g}"
