"""Devices, precision and processes of a run."""

import ctypes
import platform
import sys
from typing import Any

import torch
from lightning_fabric import Fabric

from pixda.config import Machine
from pixda.errors import UserError
from pixda.machine import distributed

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # the numbers that malloc.h gives mallopt's settings
_ALL = 2**31 - 1  # bytes; the most that an int holds


def start_processes(machine: Machine) -> Fabric:
    """The processes of a run, each with its device and precision, as the config, torchrun or Slurm says."""
    _check_machine(machine)
    return distributed.start(machine.accelerator, machine.precision, machine.devices)


def make_fabric(machine: Machine) -> Fabric:
    """One process, with its device and precision, as the config says."""
    _check_machine(machine)
    fabric = Fabric(accelerator=machine.accelerator, devices=1, precision=machine.precision)
    fabric.launch()
    return fabric


def _check_machine(machine: Machine) -> None:
    if machine.accelerator == "cuda" and not torch.cuda.is_available():
        raise UserError("No CUDA device is visible here; set --machine.accelerator to auto or cpu.")
    if machine.threads is not None:
        torch.set_num_threads(machine.threads)
    if machine.hold_memory:
        hold_memory()


def hold_memory() -> None:
    """Configure malloc to keep freed memory in this process and its children.

    The C library gives every large block back to the system as soon as it is freed, and the system has to clear and
    map each page of the next one: a third of a step on a CPU. Only Linux's glibc has these two settings; elsewhere
    nothing happens.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None and hasattr(libc, "mallopt"):
        for setting in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            libc.mallopt(setting, _ALL)


def processes_line(fabric: Fabric, batch: int, machine: Machine) -> str:
    """One line for the user on how several processes share a run."""
    shared = "of the whole batch" if machine.batch_statistics == "synchronised" else "of each process's own images"
    return (
        f"{fabric.world_size} processes, {batch // fabric.world_size} of {batch} images of a batch each; "
        f"batch normalisation takes the statistics {shared}"
    )


def describe_machine(fabric: Fabric, machine: Machine) -> dict[str, Any]:
    """Description of the machine for the model card."""
    device = torch.cuda.get_device_name(fabric.device) if fabric.device.type == "cuda" else platform.processor()
    return {
        "device": device or platform.machine(),
        "processes": fabric.world_size,
        "threads": torch.get_num_threads(),
        "precision": machine.precision,
        "torch": torch.__version__,
    }
