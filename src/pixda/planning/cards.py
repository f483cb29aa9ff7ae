"""Which cards a run fits on, and how many images at a time: the batch stays what the recipe says."""

from dataclasses import replace
from typing import NamedTuple

import torch

from pixda.config import Experiment
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.machine.devices import make_fabric
from pixda.methods.method import Method
from pixda.planning.memory import Imagined, Memory, measure
from pixda.training.preparation import first_segmenter, phases_to_train

CARDS = (8, 12, 16, 24)
"""Gigabytes (2**30 bytes) of the usual cards."""
FREE_SHARE, FREE = 0.1, 0.8 * 2**30
"""What a plan leaves of a card, as a share of it and in bytes: for CUDA itself, workspaces, gaps between blocks."""


class Plan(NamedTuple):
    """What fits on a card."""

    gigabytes: float
    largest: int
    """Largest batch that goes through at once; 0 where not even one image does."""
    fits: bool
    """Whether the recipe's batch fits, if need be in parts."""
    recompute: bool
    """For --machine.recompute_blocks."""
    at_a_time: int | None
    """For --machine.images_at_a_time; None where the whole batch goes through at once, or nothing helps."""


class Needs(NamedTuple):
    """The memory of every phase of a run."""

    kept: list[Memory]
    """As the network is."""
    again: list[Memory]
    """With its blocks computed again in the backward pass; empty where it has none."""


def needs(experiment: Experiment, method: Method) -> Needs:
    """What a run takes; its data need not be there, its pretrained weights do."""
    # Nothing is computed; a card, which may be full, is left alone.
    fabric = make_fabric(replace(experiment.machine, accelerator="cpu"))
    segmenter, _ = first_segmenter(experiment, ClassSet.load(experiment.classes))
    phases = phases_to_train(experiment, method, segmenter)
    streams = Imagined(method.crop or experiment.size, experiment.unlabelled is not None)
    segmenter.keep_norms()  # as on a card
    kept = measure(phases, segmenter, fabric, streams)
    if not segmenter.blocks():
        return Needs(kept, [])
    segmenter.recompute_blocks()
    return Needs(kept, measure(phases, segmenter, fabric, streams))


def plan(found: Needs, batch: int, gigabytes: float) -> Plan:
    """What a card of so many gigabytes allows: the first that fits of all at once, in parts, blocks again, and both."""
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
    """Gigabytes of the card that a run would use. Raises UserError where there is none."""
    if not torch.cuda.is_available():
        raise UserError("No CUDA card is visible here: say how many gigabytes to plan for with --card.")
    return float(torch.cuda.get_device_properties(0).total_memory / 2**30)
