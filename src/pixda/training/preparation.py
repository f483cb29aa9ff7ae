"""Open and check everything a run needs before training: network, phases, data streams, files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric

from pixda.config import Experiment, Machine
from pixda.data.augmentation import check_augmentation
from pixda.data.cache import Cache
from pixda.data.check import Report, check
from pixda.data.classes import ClassSet
from pixda.data.dataset import SegmentationDataset
from pixda.data.domains import Domains
from pixda.data.loading import Unreadable
from pixda.data.open import open_dataset, open_shots, open_unlabelled
from pixda.data.shots import write_manifest
from pixda.errors import UserError
from pixda.methods import METHODS, build
from pixda.methods.method import Method
from pixda.models import build_segmenter
from pixda.models.recompute import can_be_split
from pixda.models.saved import load_model
from pixda.models.segmenter import Segmenter
from pixda.models.weights import ON_THE_HUB, load_weights, packaged_weights
from pixda.phases.phase import Phase
from pixda.terminal import console
from pixda.typical import choose, describe, see
from pixda.watch.progress import Display


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


def with_suggested_shots(
    experiment: Experiment, method: Method, segmenter: Segmenter, fabric: Fabric, manifest: Path
) -> Experiment:
    """The experiment with a list of frames in place of ``shot_list: suggested``; other experiments as they are.

    The segmenter, which is the model of ``start_from``, chooses; for a method that does not learn from shots they are
    drawn. The list is kept in ``manifest``; one that is there already is taken.

    Raises:
        UserError: no ``start_from``, or fewer frames than asked for.
    """
    target = experiment.target
    if target.shot_list != "suggested":
        return experiment
    if not method.learns_from_shots:
        return replace(experiment, target=replace(target, shot_list="drawn"))
    if experiment.start_from is None or target.shots == "all":
        raise UserError(
            "target.shot_list suggested takes --start_from, a finished run whose model chooses the frames (such as "
            "--method source_only), and a number of --target.shots."
        )
    if not manifest.exists():
        frames = open_dataset(target, segmenter.classes).frames
        count = target.shots if target.shots_in_total else target.shots * len({frame.city for frame in frames})
        if not 1 <= count <= len(frames):
            raise UserError(f"{count} shots were asked for; {target.root}, split '{target.split}', has {len(frames)}.")
        network = segmenter.to(fabric.device).eval()
        looked = []
        with Display([], "suggested shots") as display:
            for done, frame in enumerate(frames, start=1):
                looked.append(describe(frame.name, frame.city, see(network, frame.image, experiment.size, fabric)))
                display.count("looking", done, len(frames))
        segmenter.train()
        write_manifest(manifest, [one.name for one in choose(looked, count)], f"suggested by {experiment.start_from}")
    return replace(experiment, target=replace(target, shot_list=manifest))


def open_domains(experiment: Experiment, method: Method, classes: ClassSet, fabric: Fabric) -> Domains:
    """The streams of batches: which data, at which size, with the method's crops and flips."""
    # Sources last: rendering them takes minutes, and a wrong path elsewhere should be reported at once.
    labelled = method.reads_target_labels()
    shots = open_shots(experiment.target, classes, experiment.size, experiment.seed, labelled=labelled)
    unlabelled = None
    if experiment.unlabelled is not None:
        unlabelled = open_unlabelled(experiment.unlabelled, classes, experiment.size)
    source, *more = [open_dataset(one, classes, experiment.size) for one in experiment.sources()]
    domains = Domains(
        source,
        shots,
        experiment.seed,
        fabric.device,
        method.crop,
        method.flip,
        experiment.machine.workers,
        fabric.global_rank,
        fabric.world_size,
        unlabelled,
        more,
        Unreadable(experiment.skip_unreadable),
        method.augmentation,
    )
    domains.sources.check(method.batch)
    return domains


def check_data(
    domains: Domains, test: SegmentationDataset | None, known: Path, allowed: int = 0, cache: Path | None = None
) -> None:
    """Decode every file once, print what is odd about it, and see that no picture is both learned from and scored.

    Args:
        domains: what is learned from.
        test: what is scored; None: nothing is.
        known: folder that remembers what was found in order.
        allowed: problems of what is learned from that are let through.
        cache: folder that gets the samples of what is learned from, or None.
    """
    names: dict[str, str] = {}
    if test is not None:
        scored = check(test, known)
        scored.raise_if_bad()
        _print_warnings(test, scored)
        names = {digest: name for name, digest in scored.digests.items()}
    for dataset in domains.datasets():
        samples = None if cache is None else Cache(cache, dataset)
        report = check(dataset, known, samples=samples)
        report.raise_if_bad(allowed)
        _print_warnings(dataset, report)
        shared = [name for name, digest in report.digests.items() if digest in names]
        if shared:
            raise UserError(
                f"{len(shared)} pictures of {dataset.root}, split '{dataset.split}', are to be learned from and are "
                f"scored too, first '{shared[0]}' (as '{names[report.digests[shared[0]]]}'): take them out of one of "
                "the two, or the score means nothing."
            )


def _print_warnings(dataset: SegmentationDataset, report: Report) -> None:
    screen = console()
    for warning in report.warnings if report.fresh else ():
        # A line each in a pipe, which other programs read; wrapped on a terminal.
        screen.print(f"{dataset.root}, split '{dataset.split}': {warning}", soft_wrap=not screen.is_terminal)
