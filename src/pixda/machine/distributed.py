"""Running one training in several processes: start them, run on rank 0 only, gather, reduce, stop together.

File access, checks and terminal output happen on rank 0 while the other ranks wait. With a single process every
function here is a no-op.
"""

import atexit
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from inspect import signature
from platform import node
from typing import TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from pixda import terminal
from pixda.data.classes import IGNORE
from pixda.errors import OnlyHere, SaidElsewhere, UserError, first_line

T = TypeVar("T")

_STEP_LIMIT = timedelta(minutes=10)
"""Timeout of a collective within a step: a machine that stopped answering ends the run."""

_PATIENCE = timedelta(days=1)
"""Timeout of waiting for rank 0, which may render, download or check files for hours."""

_SENDS_BUFFERS = "forward_sync_buffers"
"""DistributedDataParallel's option to broadcast buffers in every forward pass, which is not needed here."""
if _SENDS_BUFFERS not in signature(DistributedDataParallel).parameters:
    _SENDS_BUFFERS = "broadcast_buffers"  # its name before PyTorch 2.13

_patient: "dist.ProcessGroup | None" = None
"""A gloo group beside the training one, for long waits and for Python objects."""


def start(accelerator: str, precision: str, devices: int) -> Fabric:
    """Start the processes of a run, or join those that torchrun or Slurm has started.

    Args:
        accelerator: auto, cpu or cuda.
        precision: as Fabric names it.
        devices: processes to start on this machine; ignored (must be 1) under torchrun or Slurm.

    Raises:
        UserError: there are fewer devices, or the settings contradict torchrun or Slurm.
    """
    global _patient
    outside, per_host, hosts = _launched_outside()
    if outside is not None and devices not in (1, per_host):
        raise UserError(
            f"torchrun or Slurm has begun {per_host} processes on this machine, and --machine.devices is {devices}: "
            "leave it out."
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # a run says itself how many processes it has
    processes = per_host if outside is not None else devices
    if processes * hosts == 1:
        fabric = Fabric(accelerator=accelerator, devices=1, precision=precision)  # type: ignore[arg-type]
        fabric.launch()
        return fabric
    try:
        ddp = DDPStrategy(timeout=_STEP_LIMIT, **{_SENDS_BUFFERS: False})  # type: ignore[arg-type]
        environment = outside or LightningEnvironment()
        fabric = Fabric(
            accelerator=accelerator,
            strategy=ddp,
            devices=processes,
            num_nodes=hosts,
            precision=precision,  # type: ignore[arg-type]
            plugins=[environment],
        )
        fabric.launch()
        if _patient is None:
            _patient = dist.new_group(backend="gloo", timeout=_PATIENCE)
            atexit.register(_leave)
    except Exception as error:  # Fabric and torch raise many kinds: too few devices, ports in use, peers that are gone
        raise UserError(
            f"{processes * hosts} processes could not be begun ({first_line(error)}): correct --machine.devices, or "
            "what torchrun or Slurm is told."
        ) from error
    if not fabric.is_global_zero:
        terminal.be_quiet()
    return fabric


def _leave() -> None:
    """Destroy the process groups before Python ends: gloo threads that outlive it abort the process."""
    global _patient
    _patient = None
    if dist.is_initialized():
        dist.destroy_process_group()


def _launched_outside() -> tuple[ClusterEnvironment | None, int, int]:
    """The environment of torchrun or Slurm, None without one; processes on each host; number of hosts."""
    if TorchElasticEnvironment.detect():
        per_host = int(os.environ["LOCAL_WORLD_SIZE"])
        hosts = int(os.environ["WORLD_SIZE"]) // per_host
    elif SLURMEnvironment.detect():
        hosts = int(os.environ.get("SLURM_NNODES", "1"))
        per_host = int(os.environ["SLURM_NTASKS"]) // hosts
    else:
        return None, 1, 1
    if per_host * hosts == 1:
        return None, 1, 1
    try:
        return (TorchElasticEnvironment() if TorchElasticEnvironment.detect() else SLURMEnvironment()), per_host, hosts
    except RuntimeError as error:
        raise UserError(first_line(error)) from error


@contextmanager
def as_one(fabric: Fabric) -> Iterator[None]:
    """Report an error that all ranks raise once, from rank 0; turn a lost rank into a sentence on how to resume."""
    try:
        yield
    except OnlyHere:
        raise  # met by this process alone
    except UserError as error:
        if fabric.is_global_zero:
            raise
        raise SaidElsewhere(str(error)) from error
    except RuntimeError as error:
        if fabric.world_size == 1 or not _is_loss(error):
            raise
        raise UserError(
            f"Process {fabric.global_rank + 1} of {fabric.world_size} has lost another one, which was killed, failed "
            f"or cannot be reached any more ({first_line(error)}). The same command with --resume true goes on from "
            "the last checkpoint, also with another number of processes."
        ) from error


def on_rank_zero(fabric: Fabric, work: Callable[[], T]) -> T:
    """Run ``work`` on rank 0 and broadcast its result, or its UserError, to all ranks."""
    if fabric.world_size == 1:
        return work()
    result: list[T | str | None] = [None, None]
    if fabric.is_global_zero:
        try:
            result[0] = work()
        except UserError as error:
            dist.broadcast_object_list([None, str(error)], group=_patient)
            raise
    dist.broadcast_object_list(result, group=_patient)
    if isinstance(result[1], str):
        raise UserError(result[1])
    return result[0]  # type: ignore[return-value]


def rank_zero_first(fabric: Fabric, work: Callable[[], T]) -> T:
    """Run ``work`` on rank 0 first, then on the other ranks, which find the files that it wrote."""
    done: list[T] = []
    on_rank_zero(fabric, lambda: done.append(work()))
    if done:
        return done[0]
    try:
        return work()
    except UserError as error:  # the first one had none: something is missing on this host
        raise OnlyHere(f"Process {fabric.global_rank + 1} of {fabric.world_size}, on {node()}: {error}") from error


def gathered(fabric: Fabric, mine: T) -> list[T]:
    """The values of all ranks, in their order."""
    if fabric.world_size == 1:
        return [mine]
    of_all: list[T | None] = [None] * fabric.world_size
    dist.all_gather_object(of_all, mine, group=_patient)
    return of_all  # type: ignore[return-value]


def total(fabric: Fabric, mine: Tensor) -> Tensor:
    """The sum over all ranks."""
    if fabric.world_size == 1:
        return mine
    result = mine.clone()
    dist.all_reduce(result)  # Fabric's would wait for everybody once more, and on a GPU for the device
    return result


def mean(fabric: Fabric, mine: Tensor) -> Tensor:
    """The mean over all ranks, without gradient."""
    return mine if fabric.world_size == 1 else total(fabric, mine.detach()) / fabric.world_size


def agreed(fabric: Fabric, mine: int) -> int:
    """The largest number of all ranks."""
    if fabric.world_size == 1:
        return mine
    number = torch.tensor(mine, device=fabric.device)
    dist.all_reduce(number, dist.ReduceOp.MAX)
    return int(number)


def share(fabric: Fabric, labels: Tensor) -> Tensor | float:
    """The weight of this rank's mean over its labelled pixels.

    ``share = V / mean V``, V the number of pixels of a process that are not ignored: the mean over all processes of
    ``share x mean over V`` is the mean over the pixels of all, and so are its gradients.

    Args:
        fabric: the processes.
        labels: int64 ``B x H x W``; 255 is ignored.
    """
    if fabric.world_size == 1:
        return 1.0
    valid = (labels != IGNORE).sum().double()
    return (valid / mean(fabric, valid).clamp_min(1)).float()


def _is_loss(error: RuntimeError) -> bool:
    """Whether a collective failed because another rank is gone; gloo has no error class of its own."""
    return isinstance(error, dist.DistError) or any(
        word in str(error) for word in ("gloo", "Connection closed by peer", "Connection reset by peer", "Timed out")
    )
