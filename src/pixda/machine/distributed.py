"""Several processes that make one run: how they begin, agree, wait for one another, and end together.

Whatever is the same for all (files, checks, what a user sees) the first process does, and the others wait. Where there
is one process, everything here gives back what it was given.
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
from pixda.errors import OnlyHere, SaidElsewhere, UserError

T = TypeVar("T")

_STEP_LIMIT = timedelta(minutes=10)
"""Nobody waits longer for the others within a step: a machine that went silent ends the run."""

_PATIENCE = timedelta(days=1)
"""Nobody waits longer for the first process, which may render, download or check files for hours."""

_SENDS_BUFFERS = "forward_sync_buffers"
"""DistributedDataParallel's option to send buffers in every pass; they are the same everywhere without that."""
if _SENDS_BUFFERS not in signature(DistributedDataParallel).parameters:
    _SENDS_BUFFERS = "broadcast_buffers"  # its name before PyTorch 2.13

_patient: "dist.ProcessGroup | None" = None
"""On the CPU, beside the group that trains: for those who wait, and for plain objects."""


def start(accelerator: str, precision: str, devices: int) -> Fabric:
    """Begin the processes of a run, or join those that torchrun or Slurm has begun.

    Args:
        accelerator: auto, cpu or cuda.
        precision: as Fabric names it.
        devices: processes to begin on this machine; where torchrun or Slurm begins them, they say how many.

    Raises:
        UserError: there are not that many devices, or what was said of the processes does not fit together.
    """
    global _patient
    outside, per_host, hosts = _begun_outside()
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
            f"{processes * hosts} processes could not be begun ({_first_line(error)}): correct --machine.devices, or "
            "what torchrun or Slurm is told."
        ) from error
    if not fabric.is_global_zero:
        terminal.be_quiet()
    return fabric


def _leave() -> None:
    """Let go of the others before Python ends: gloo's threads, should they outlive it, abort the process."""
    global _patient
    _patient = None
    if dist.is_initialized():
        dist.destroy_process_group()


def _begun_outside() -> tuple[ClusterEnvironment | None, int, int]:
    """Who has begun several processes, if anybody has; how many on each host; the number of hosts."""
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
        raise UserError(_first_line(error)) from error


@contextmanager
def as_one(fabric: Fabric) -> Iterator[None]:
    """What all processes would say, the first one says; one that loses another says that, and how to go on."""
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
            f"or cannot be reached any more ({_first_line(error)}). The same command with --resume true goes on from "
            "the last checkpoint, also with another number of processes."
        ) from error


def on_rank_zero(fabric: Fabric, work: Callable[[], T]) -> T:
    """What ``work`` gives in the first process, in all of them; a mistake that it finds there is raised in all."""
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
    """What ``work`` gives in this process: the first one does it alone, the others on the files that it has left."""
    done: list[T] = []
    on_rank_zero(fabric, lambda: done.append(work()))
    if done:
        return done[0]
    try:
        return work()
    except UserError as error:  # the first one had none: something is missing on this host
        raise OnlyHere(f"Process {fabric.global_rank + 1} of {fabric.world_size}, on {node()}: {error}") from error


def gathered(fabric: Fabric, mine: T) -> list[T]:
    """What each process has, the first one first."""
    if fabric.world_size == 1:
        return [mine]
    of_all: list[T | None] = [None] * fabric.world_size
    dist.all_gather_object(of_all, mine, group=_patient)
    return of_all  # type: ignore[return-value]


def total(fabric: Fabric, mine: Tensor) -> Tensor:
    """The sum over all processes."""
    if fabric.world_size == 1:
        return mine
    result = mine.clone()
    dist.all_reduce(result)  # Fabric's would wait for everybody once more, and on a GPU for the device
    return result


def mean(fabric: Fabric, mine: Tensor) -> Tensor:
    """The mean over all processes; no gradient passes it."""
    return mine if fabric.world_size == 1 else total(fabric, mine.detach()) / fabric.world_size


def agreed(fabric: Fabric, mine: int) -> int:
    """The largest of the processes' numbers."""
    if fabric.world_size == 1:
        return mine
    number = torch.tensor(mine, device=fabric.device)
    dist.all_reduce(number, dist.ReduceOp.MAX)
    return int(number)


def share(fabric: Fabric, labels: Tensor) -> Tensor | float:
    """By how much a mean over this process's labelled pixels counts.

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
    """Whether this is what a collective raises whose partner is gone; gloo has no kind of error of its own."""
    return isinstance(error, dist.DistError) or any(
        word in str(error) for word in ("gloo", "Connection closed by peer", "Connection reset by peer", "Timed out")
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
