"""How much memory the process has taken."""

import sys

import torch

_GIB = 2**30


def peak(device: torch.device) -> str:
    """The most that was in use at one time, on the GPU or else in the process: ``3.1 GiB``; empty if unknown."""
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / _GIB:.1f} GiB"
    if sys.platform == "win32":
        return ""
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _GIB:.1f} GiB"
