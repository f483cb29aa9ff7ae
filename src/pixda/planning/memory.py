"""How much memory a training step takes: the step is run with fake tensors, which have shapes but no contents."""

import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pixda.data.domains import Batch, StepBatch
from pixda.data.sources import Share
from pixda.models.recompute import can_be_split
from pixda.models.segmenter import Segmenter
from pixda.phases.phase import Context, Phase


@dataclass(frozen=True)
class Memory:
    """Peak bytes of a phase's step: weights, gradients, optimiser states and activations.

    What libraries take beside the tensors (a CUDA context, workspaces, fragmentation) is not included.
    """

    phase: str
    fixed: int
    """Independent of the batch: weights, gradients, optimiser states."""
    image: int
    """For each image of the batch."""
    inside: int | None
    """The part of `image` inside the segmenter, needed only for the images that are in it; None: all go at once."""

    def of(self, batch: int, at_a_time: int | None = None) -> int:
        """Bytes for a batch, with `at_a_time` images in the segmenter at once (None: all)."""
        waiting = 0 if at_a_time is None else max(0, batch - at_a_time)
        return self.fixed + batch * self.image - waiting * (self.inside or 0)


class FakeDomains:
    """Stands in for `Domains`: batches of zeros, of the right size."""

    world = 1

    def __init__(self, crop: tuple[int, int], unlabelled: bool) -> None:
        self.crop, self.unlabelled = crop, unlabelled
        self.sources = self
        self.several, self.datasets, self.titles = False, [self], ["source"]
        self.source_names = ["frame"]

    def source_of(self, frame: int | str) -> int:
        """0, as there is one source."""
        return 0

    def shares(self, names: Sequence[str], batch: int) -> list[Share]:
        """One source has the whole batch."""
        return [Share(0, np.zeros(1, np.int64), batch)]

    def source_only(self, names: Sequence[str], batch: int, phase: str, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One batch of source images."""
        yield StepBatch(self._batch(batch), None)

    def target_only(self, steps: int, batch: int, phase: str, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One batch of shots."""
        yield StepBatch(None, self._batch(batch))

    def source_and_target(
        self, names: Sequence[str], batch: int, phase: str, epoch: int, skip: int
    ) -> Iterator[StepBatch]:
        """One batch of each stream."""
        yield StepBatch(self._batch(batch), self._batch(batch), self._batch(batch) if self.unlabelled else None)

    def concatenated(self, batch: int, phase: str, epoch: int, skip: int) -> Iterator[StepBatch]:
        """One batch of source and shots as one set, and the shots beside it."""
        yield StepBatch(self._batch(batch), self._batch(batch))

    def _batch(self, batch: int) -> Batch:
        width, height = self.crop
        masks = torch.zeros((batch, height, width), dtype=torch.long)
        return Batch(torch.zeros((batch, 3, height, width)), masks, ["frame"] * batch)


def measure(phases: Sequence[Phase], segmenter: Segmenter, fabric: Fabric, streams: FakeDomains) -> list[Memory]:
    """The memory of a step of every phase. Nothing is computed, and the segmenter keeps its weights."""
    # A phase that repeats an earlier one has the same networks and batches.
    phases = [phase for phase in phases if getattr(phase, "after", None) is None]
    context = Context(fabric, streams, segmenter, reporter=None)  # type: ignore[arg-type]
    whole = _peaks(phases, context, (1, 2), None)
    in_parts = _peaks(phases, context, (2,), 1) if can_be_split(segmenter) else {}
    found = []
    for phase, (one, two) in whole.items():
        inside = two - in_parts[phase][0] if in_parts else None
        found.append(Memory(phase, 2 * one - two, two - one, inside))
    return found


def _peaks(
    phases: Sequence[Phase], context: Context, batches: Sequence[int], at_a_time: int | None
) -> dict[str, list[int]]:
    """Phase -> peak bytes of a step, for each of these batch sizes."""
    found: dict[str, list[int]] = {}
    segmenter = context.segmenter
    segmenter.at_a_time = at_a_time
    for phase in phases:
        phase.prepare(context, None)
        networks = [trainee.module for trainee in phase.trainees().values()]
        networks += [part for part in vars(phase).values() if isinstance(part, nn.Module)]  # a teacher
        weights = {id(t): t for network in networks for t in (*network.parameters(), *network.buffers())}
        mode, living = FakeTensorMode(allow_non_fake_inputs=True), _LiveMemory()
        held = [mode.from_tensor(tensor) for tensor in weights.values()]
        with mode, living:
            living.add(held)
            found[phase.name] = []
            for batch in (batches[0], *batches):  # twice: optimisers make their states in the first step
                phase.batch = batch
                living.most = living.now
                phase.step(next(phase.batches(0, 0)))
                found[phase.name].append(living.most)
            del found[phase.name][0]
    context.segmenter = segmenter
    segmenter.at_a_time = None
    return found


class _LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all live tensors, and their peak."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._known: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.add(tensor for tensor in tree_leaves(made) if isinstance(tensor, Tensor))
        return made

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Count the memory of these tensors until it is freed; tensors that share memory count once."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if storage._cdata not in self._known:
                size = storage.nbytes()
                self.now += size
                self.most = max(self.most, self.now)
                self._known[storage._cdata] = weakref.ref(storage, partial(self._gone, storage._cdata, size))

    def _gone(self, block: int, size: int, _: object) -> None:
        self.now -= size
        del self._known[block]
