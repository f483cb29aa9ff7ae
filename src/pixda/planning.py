"""Which cards a run fits on, and how many images at a time: the batch stays what the recipe says."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from pixda.config import Experiment
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.machine import make_fabric
from pixda.memory import Imagined, Memory, measure
from pixda.methods.method import Method
from pixda.preparation import first_segmenter, phases_to_train

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
    at_a_time: int | None
    """For --machine.images_at_a_time; None where the whole batch goes through at once, or nothing helps."""


def needs(experiment: Experiment, method: Method) -> list[Memory]:
    """The memory of every phase of a run; its data need not be there, its pretrained weights do."""
    fabric = make_fabric(experiment.machine)
    segmenter, _ = first_segmenter(experiment, ClassSet.load(experiment.classes))
    phases = phases_to_train(experiment, method, segmenter)
    return measure(
        phases, segmenter, fabric, Imagined(method.crop or experiment.size, experiment.unlabelled is not None)
    )


def plan(memories: Sequence[Memory], batch: int, gigabytes: float) -> Plan:
    """What a card of so many gigabytes allows."""
    room = gigabytes * 2**30 * (1 - FREE_SHARE) - FREE

    def fits(images: int, at_a_time: int | None = None) -> bool:
        return all(memory.of(images, at_a_time) <= room for memory in memories)

    largest = max(0, min(int((room - memory.fixed) // memory.image) for memory in memories))
    if fits(batch):
        return Plan(gigabytes, largest, True, None)
    parts = [count for count in range(batch - 1, 0, -1) if fits(batch, count)]
    able = bool(parts) and all(memory.inside is not None for memory in memories)
    return Plan(gigabytes, largest, able, parts[0] if able else None)


def card_here() -> float:
    """Gigabytes of the card that a run would use. Raises UserError where there is none."""
    if not torch.cuda.is_available():
        raise UserError("No CUDA card is visible here: say how many gigabytes to plan for with --card.")
    return float(torch.cuda.get_device_properties(0).total_memory / 2**30)
