"""Open and check everything a run needs before training: network, phases, data streams, files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from lightning_fabric import Fabric

from pixda.config import Experiment, Machine
from pixda.data.augmentation import check_augmentation
from pixda.data.cache import Cache
from pixda.data.classes import ClassSet
from pixda.data.dataset import SegmentationDataset
from pixda.data.domains import Domains
from pixda.data.open import open_dataset, open_test
from pixda.errors import UserError
from pixda.methods import METHODS, build
from pixda.methods.method import Method
from pixda.models import build_segmenter
from pixda.models.recompute import can_be_split
from pixda.models.saved import load_model
from pixda.models.segmenter import Segmenter
from pixda.models.weights import ON_THE_HUB, load_weights, packaged_weights
from pixda.phases.phase import Phase
from pixda.training.data import check_data, open_domains, with_suggested_shots


class Prepared(NamedTuple):
    """What a run trains with, all of it checked."""

    segmenter: Segmenter
    first_weights: str
    """One line on where the segmenter's weights come from."""
    phases: list[Phase]
    test: SegmentationDataset | None
    """What the model is scored on; None: on nothing."""
    domains: Domains


def prepare(
    experiment: Experiment,
    method: Method,
    fabric: Fabric,
    out: Path,
    resumed: bool,
    held_out: Sequence[str] | None,
    own: Callable[[ClassSet], Segmenter] | None,
) -> Prepared:
    """Network, phases and data of a run in the folder ``out``. ``held_out`` and ``own``: as ``run`` has them.

    Raises:
        UserError: whatever is wrong with them.
    """
    classes = ClassSet.load(experiment.classes)
    segmenter, first_weights = first_segmenter(experiment, classes, own)
    fit_into_memory(experiment.machine, segmenter, fabric.device)
    phases = phases_to_train(experiment, method, segmenter, fabric.world_size)
    test: SegmentationDataset | None = None
    if held_out is not None:
        test = open_dataset(experiment.target, classes).subset(held_out)
    elif experiment.target.test_split is not None:
        test = open_test(experiment.target, classes)
    suggested = out / "suggested.json"
    if fabric.is_global_zero and not resumed:
        suggested.unlink(missing_ok=True)  # of a start that came to nothing
    chosen = with_suggested_shots(experiment, method, segmenter, fabric, suggested)
    domains = open_domains(chosen, method, classes, fabric)
    cache = experiment.machine.cache
    if fabric.is_global_zero:
        # A resumed run may skip files that became unreadable; a new one must start with whole data.
        around = out.parent if held_out is None else out.parent.parent  # a fold lies in the folder of its folds
        check_data(domains, test, around / ".checks", experiment.skip_unreadable if resumed else 0, cache)
    if cache is not None:
        for dataset in domains.datasets():
            dataset.stored = Cache(cache, dataset).stored()
    return Prepared(segmenter, first_weights, phases, test, domains)


def first_segmenter(
    experiment: Experiment, classes: ClassSet, own: Callable[[ClassSet], Segmenter] | None = None
) -> tuple[Segmenter, str]:
    """The network that training starts from, and one line on where its weights come from.

    ``own`` makes a network that is not of this package.
    """
    if experiment.start_from is not None:
        segmenter, made = load_model(experiment.start_from, own)
        if segmenter.classes.names != classes.names:
            raise UserError(
                f"The model in {experiment.start_from} was made for the classes of '{segmenter.classes.name}', "
                f"this run is for '{classes.name}'; start from a model of the same classes."
            )
        steps = sum(made["steps"].values())
        return segmenter, f"starts from {experiment.start_from} ({made['method']}, {steps} steps)"
    if own is not None:
        segmenter = own(classes)
        return segmenter, f"starts from {segmenter.origin}"
    network = experiment.network
    if network.weights == "auto" and network.architecture in ON_THE_HUB:
        named = ON_THE_HUB[network.architecture]
        if given := sorted({"name", "config", "pretrained", "revision"} & network.options.keys()):
            raise UserError(
                f"network.weights is auto, which means {named['name']}, and network.options has {', '.join(given)}: "
                "leave one of the two out."
            )
        network = replace(network, options={**named, **network.options}, weights=None)
    segmenter = build_segmenter(network.architecture, classes, **network.options)
    if network.weights is None:
        return segmenter, f"{network.architecture} starts from {segmenter.origin}"
    weights = packaged_weights(network.architecture) if network.weights == "auto" else network.weights
    return segmenter, str(load_weights(segmenter, weights, network.sha256))


def fit_into_memory(machine: Machine, segmenter: Segmenter, device: torch.device) -> None:
    """Set recomputation and images at a time on the segmenter, as the machine settings say.

    Raises UserError where batch norms forbid parts of a batch.
    """
    if device.type == "cuda":
        segmenter.keep_norms()
    number = machine.images_at_a_time
    if number is not None and number < 1:
        raise UserError(f"--machine.images_at_a_time is {number}; it has to be 1 or more.")
    if number is not None and not can_be_split(segmenter):
        raise UserError(
            "This network normalises by the statistics of the batch, and parts of a batch have others: leave "
            "--machine.images_at_a_time out, or keep the stored statistics with "
            "--network.options '{frozen_statistics: true}'."
        )
    segmenter.at_a_time = number
    if machine.recompute_blocks:
        segmenter.recompute_blocks()


def phases_to_train(experiment: Experiment, method: Method, segmenter: Segmenter, processes: int = 1) -> list[Phase]:
    """The method's phases, without pretraining if a finished model replaces it. Raises UserError if they do not fit."""
    if experiment.unlabelled is not None and not method.learns_from_unlabelled():
        able = [name for name in METHODS if build(name).learns_from_unlabelled()]
        raise UserError(
            f"Nothing in this run would learn from the images without labels in {experiment.unlabelled.root}: "
            f"leave --unlabelled out, or choose a method that does ({', '.join(able)}; pixda with a discriminator)."
        )
    method.check(experiment.unlabelled is not None)
    phases = method.phases()
    if experiment.start_from is not None:
        phases = phases[1:]
    if not phases:
        raise UserError(
            "Nothing is left to train: the method's only phase is the pretraining that start_from replaces."
        )
    sources = len(experiment.sources())
    if method.batch < sources:
        raise UserError(
            f"A batch of {method.batch} is too small for {sources} sources: raise --recipe.batch to {sources}, or more."
        )
    if method.batch % processes:
        raise UserError(
            f"A batch of {method.batch} cannot be divided evenly among {processes} processes: set --recipe.batch to "
            f"{-(-method.batch // processes) * processes}, or take another number of processes (--machine.devices)."
        )
    width, height = experiment.size
    shown = method.crop or experiment.size
    if shown[0] > width or shown[1] > height:
        raise UserError(
            f"A crop of {shown[0]} x {shown[1]} does not fit into images of {width} x {height} (width x height): "
            "lower --recipe.crop, or set it to null."
        )
    if (wrong := check_augmentation(method.augmentation)) is not None:
        raise UserError(wrong)
    own = experiment.machine.batch_statistics == "own"
    segmenter.check(shown, experiment.size, method.batch // processes if own else method.batch)
    for phase in phases:
        phase.check(segmenter, shown)
    return phases
