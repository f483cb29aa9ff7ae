"""The whole step on a GPU, in every arithmetic and layout: ``python -m benchmarks.gpu_step --device cuda --out FILE``.

DeepLab-v2-R101, 1024 x 512, 4 source and 4 target images, both discriminators, style transfer, as in the adaptation.
A variant that fails is written down with its error, and the next one is measured.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.parts.step import plain_step, product_step
from benchmarks.setting import Setting
from pixda.data.domains import StepBatch
from pixda.phases.adversarial import Adversarial

Step = Callable[[], Any]


def _product(
    setting: Setting,
    pair: StepBatch,
    precision: Any,
    compiled: str | None = None,
    layout: Any = None,
    keep_norms: bool = True,
) -> Step:
    phase: Adversarial = product_step(setting, pair, precision, keep_norms=keep_norms)
    if layout is not None:
        for trainee in phase.trainees().values():
            trainee.module.to(memory_format=layout)
    if compiled is not None:
        for trainee in phase.trainees().values():
            trainee.module.compile(mode=compiled)  # in place: what wraps the module keeps working

    def step() -> Any:
        source = pair.labelled_source()  # a step overwrites its source images
        return phase.step(pair._replace(source=source._replace(images=source.images.clone())))

    return step


def _timed(step: Step, device: torch.device, repeats: int) -> dict[str, float]:
    """Seconds of the first step, the median of the later ones, and the peak of torch's tensors in GiB."""

    def once() -> float:
        began = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    first = once()
    once()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = [once() for _ in range(repeats)]
    peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0.0
    return {"first": first, "step": statistics.median(times), "fastest": min(times), "peak_gib": peak}


def _top_kernels(step: Step) -> list[str]:
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as seen:
        step()
        torch.cuda.synchronize()
    kernels = [event for event in seen.key_averages() if event.device_type == DeviceType.CUDA]
    total = sum(event.self_device_time_total for event in kernels)
    longest = sorted(kernels, key=lambda event: -event.self_device_time_total)
    lines = [f"{e.self_device_time_total / 1e3:8.2f} ms {e.count:5d} x  {e.key[:110]}" for e in longest[:25]]
    return [f"{total / 1e3:8.2f} ms on the device in one step", *lines]


@dataclass(frozen=True)
class Variant:
    """A way to take the step."""

    make: Callable[[], Step]
    tf32: bool = True
    benchmark: bool = False
    """Let cuDNN try its algorithms in the first step."""
    compiled: bool = False


def main() -> None:
    """Measure every variant, and write what is known after each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_step", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="small images, nothing compiled: to try it on a CPU")
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    device = torch.device(given.device)
    setting = Setting(device, step_batch=4)
    if given.quick:
        setting = replace(setting, size=(128, 64), step_batch=1)
    pair = setting.pair(setting.step_batch)

    bf16 = "bf16-mixed"
    product, first = partial(_product, setting, pair), torch.contiguous_format
    variants = {
        "product, bf16": Variant(partial(product, bf16)),
        "product, bf16, norms made again": Variant(partial(product, bf16, keep_norms=False)),
        "product, bf16, cudnn.benchmark": Variant(partial(product, bf16), benchmark=True),
        "plain, TF32": Variant(partial(_plain, setting, pair)),
        "plain, float32": Variant(partial(_plain, setting, pair), tf32=False),
        "product, TF32": Variant(partial(product, "32-true")),
        "product, float32": Variant(partial(product, "32-true"), tf32=False),
        "product, bf16, channels first": Variant(partial(product, bf16, layout=first)),
        "product, bf16, compiled": Variant(partial(product, bf16, "default"), compiled=True),
        "product, bf16, compiled with CUDA graphs": Variant(partial(product, bf16, "reduce-overhead"), compiled=True),
    }
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    results: dict[str, Any] = {"device": name, "torch": torch.__version__, "setting": setting.as_json(), "steps": {}}
    for title, variant in variants.items():
        if given.quick and variant.compiled:
            continue
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = variant.tf32
        torch.backends.cudnn.benchmark = variant.benchmark
        try:
            step = variant.make()
            results["steps"][title] = _timed(step, device, given.repeats)
            if device.type == "cuda" and title == "product, bf16":
                results["kernels"] = _top_kernels(step)
                print("\n".join(results["kernels"]), flush=True)
            del step
        except Exception as error:  # one variant that fails must not hide the others
            results["steps"][title] = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        torch._dynamo.reset()
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        print(title, results["steps"][title], flush=True)
        given.out.write_text(json.dumps(results, indent=1) + "\n")


def _plain(setting: Setting, pair: StepBatch) -> Step:
    step = plain_step(setting)
    return lambda: step(pair)


if __name__ == "__main__":
    main()
