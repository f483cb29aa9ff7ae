"""Which cards a run fits on, and with how many images at a time. The batch of the recipe is kept."""

from dataclasses import replace
from typing import NamedTuple

import torch

from pixda.config import Experiment
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.machine.devices import make_fabric
from pixda.methods.method import Method
from pixda.planning.memory import FakeDomains, Memory, measure
from pixda.training.preparation import first_segmenter, phases_to_train

CARDS = (8, 12, 16, 24)
"""Gigabytes (2**30 bytes) of the usual cards."""
FREE_SHARE, FREE = 0.1, 0.8 * 2**30
"""What a plan leaves free, as a share of the card and in bytes: for CUDA, workspaces and fragmentation."""


class Plan(NamedTuple):
    """What fits on a card."""

    gigabytes: float
    largest: int
    """Largest batch that fits at once; 0 if not even one image does."""
    fits: bool
    """Whether the recipe's batch fits, in parts if necessary."""
    recompute: bool
    """For --machine.recompute_blocks."""
    at_a_time: int | None
    """For --machine.images_at_a_time; None if the whole batch fits at once, or if nothing fits."""


class Needs(NamedTuple):
    """The memory that every phase of a run needs."""

    kept: list[Memory]
    """With all features kept for the backward pass."""
    again: list[Memory]
    """With blocks computed again in the backward pass; empty for a network without such blocks."""


def needs(experiment: Experiment, method: Method) -> Needs:
    """Measure what a run needs. Its pretrained weights must be there; its data need not."""
    # Nothing is computed, so no card is needed; one that is here may be full.
    fabric = make_fabric(replace(experiment.machine, accelerator="cpu"))
    segmenter, _ = first_segmenter(experiment, ClassSet.load(experiment.classes))
    phases = phases_to_train(experiment, method, segmenter)
    streams = FakeDomains(method.crop or experiment.size, experiment.unlabelled is not None)
    segmenter.keep_norms()  # as training on a card does
    kept = measure(phases, segmenter, fabric, streams)
    if not segmenter.blocks():
        return Needs(kept, [])
    segmenter.recompute_blocks()
    return Needs(kept, measure(phases, segmenter, fabric, streams))


def plan(found: Needs, batch: int, gigabytes: float) -> Plan:
    """What a card of so many gigabytes allows.

    The first that fits of: the whole batch, the batch in parts, the whole batch with blocks computed again, and both.
    """
    room = gigabytes * 2**30 * (1 - FREE_SHARE) - FREE
    largest = max(0, min(int((room - memory.fixed) // memory.image) for memory in found.kept))
    for memories in found:
        parts: list[int | None] = [None]
        if all(memory.inside is not None for memory in memories):
            parts += range(batch - 1, 0, -1)
        for at_a_time in parts if memories else []:
            if all(memory.of(batch, at_a_time) <= room for memory in memories):
                return Plan(gigabytes, largest, True, memories is found.again, at_a_time)
    return Plan(gigabytes, largest, False, False, None)


def card_here() -> float:
    """Gigabytes of the card that a run would use. Raises UserError if there is none."""
    if not torch.cuda.is_available():
        raise UserError("No CUDA card is visible here: say how many gigabytes to plan for with --card.")
    return float(torch.cuda.get_device_properties(0).total_memory / 2**30)
