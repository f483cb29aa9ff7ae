"""What the machine can do at best, measured beside the parts: products of matrices, convolutions, copies."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Ceilings:
    """Float32 unless the name says otherwise."""

    matmul: float
    """GFLOP/s."""
    convolution: float
    """GFLOP/s of a 3 x 3 convolution, channels last."""
    convolution_channels_first: float
    """GFLOP/s of the same, channels first."""
    copy: float
    """GB/s, bytes read and bytes written together."""


def measure(device: torch.device) -> Ceilings:
    """Take a few seconds to find them."""
    n = 2048 if device.type == "cpu" else 8192
    matrix = torch.rand(n, n, device=device)
    kernel = torch.rand(256, 256, 3, 3, device=device)
    maps = torch.rand(1 if device.type == "cpu" else 16, 256, 65, 129, device=device)
    last = maps.to(memory_format=torch.channels_last), kernel.to(memory_format=torch.channels_last)
    flops = 2 * maps[:, :1].numel() * kernel.numel()
    source = torch.rand(2**25, device=device)
    target = torch.empty_like(source)
    with torch.no_grad():
        return Ceilings(
            matmul=2 * n**3 / _seconds(lambda: matrix @ matrix, device) / 1e9,
            convolution=flops / _seconds(lambda: F.conv2d(*last, padding=1), device) / 1e9,
            convolution_channels_first=flops / _seconds(lambda: F.conv2d(maps, kernel, padding=1), device) / 1e9,
            copy=2 * source.nbytes / _seconds(lambda: target.copy_(source), device) / 1e9,
        )


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """The best of several runs: a ceiling is what is possible."""
    times = []
    for _ in range(8):
        began = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return statistics.quantiles(times, n=4)[0]
