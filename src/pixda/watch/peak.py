"""Peak memory of the process."""

import sys
from pathlib import Path

import torch

_GIB = 2**30


def peak(device: torch.device) -> str:
    """The most that was in use at one time, on the GPU or else in the process: ``3.1 GiB``; empty if unknown."""
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / _GIB:.1f} GiB"
    most = of_process()
    return "" if most is None else f"{most / _GIB:.1f} GiB"


def of_process() -> int | None:
    """The most bytes of memory that this process has had at one time; None where the system does not say."""
    if sys.platform == "win32":
        return None
    if sys.platform == "linux":  # where getrusage would say what the process that began this one had, if it was more
        status = Path("/proc/self/status").read_text().split()
        return int(status[status.index("VmHWM:") + 1]) * 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
