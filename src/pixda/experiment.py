"""One run from its configuration: check the data, train the phases, keep the model, score it once."""

import hashlib
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning_fabric import Fabric

from pixda import __version__
from pixda.checkpoint import load_model, save_model
from pixda.config import Experiment, Machine, plain
from pixda.data.cache import Cache
from pixda.data.check import check
from pixda.data.classes import ClassSet
from pixda.data.config import Data
from pixda.data.dataset import SegmentationDataset
from pixda.data.domains import Domains
from pixda.data.open import open_dataset, open_shots, open_test, open_unlabelled
from pixda.data.shots import write_manifest
from pixda.errors import UserError
from pixda.evaluation import evaluate
from pixda.lock import hold
from pixda.methods import METHODS, build, departures
from pixda.methods.method import Method
from pixda.metrics import Scores
from pixda.models import build_segmenter, load_weights
from pixda.models.in_parts import may_go_in_parts
from pixda.models.segmenter import Segmenter
from pixda.phases.phase import Phase
from pixda.progress import Display
from pixda.training import Run


def run(
    experiment: Experiment,
    method: Method,
    method_name: str,
    preset: str,
    out: Path,
    resume: bool = False,
    held_out: Sequence[str] | None = None,
) -> Scores:
    """Train a method and score its model on the target's test split, or on frames held out of the shots.

    Leaves in ``out``: ``config.yaml``, ``shots.json``, ``logs/``, ``checkpoint.pt``, ``model.safetensors`` with
    ``model.json``, and ``scores.json``.

    Args:
        experiment: data, network, seed, machine.
        method: the hyper-parameters.
        method_name: its name in ``METHODS``.
        preset: name of the preset that the hyper-parameters began from.
        out: the run's folder.
        resume: go on with the run that is in ``out``; without one there, begin.
        held_out: names of frames of the target's training split to score on; the test split is then not opened.

    Raises:
        UserError: wrong input, found before training starts; another process in ``out``; or a stop that was asked
            for.
    """
    with hold(out):
        return _run(experiment, method, method_name, preset, out, resume, held_out)


def _run(
    experiment: Experiment,
    method: Method,
    method_name: str,
    preset: str,
    out: Path,
    resume: bool,
    held_out: Sequence[str] | None,
) -> Scores:
    resume = resume and (out / "checkpoint.pt").exists()
    if not resume and (out / "checkpoint.pt").exists():
        raise UserError(f"{out} holds a run already; add --resume true to go on with it, or choose another --out.")
    # The machine is no part of it: a run may go on elsewhere.
    config = plain({"method": method_name, "preset": preset, "recipe": asdict(method), **asdict(experiment)})
    machine = config.pop("machine")
    fabric = make_fabric(experiment.machine)
    fabric.seed_everything(experiment.seed, verbose=False)

    classes = ClassSet.load(experiment.classes)
    segmenter, first_weights = first_segmenter(experiment, classes)
    segmenter.at_a_time = images_at_a_time(experiment.machine, segmenter)
    phases = phases_to_train(experiment, method, segmenter)
    if held_out is None:
        test = open_test(experiment.target, classes)
    else:
        test = open_dataset(experiment.target, classes).subset(held_out)
    domains = open_domains(experiment, method, classes, fabric)
    cache = experiment.machine.cache
    check_data(domains, test, out.parent / ".checks", cache)
    if cache is not None:
        read_cached(domains, cache)

    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        (out / "config.yaml").write_text(yaml.safe_dump({**config, "machine": machine}, sort_keys=False))
        shots = [frame.name for frame in domains.target.frames]
        write_manifest(out / "shots.json", shots, f"{experiment.target.shot_list}, seed {experiment.seed}")

    began = time.monotonic()
    with Display([(phase.name, phase.steps) for phase in phases], method_name) as display:
        display.say(first_weights)
        if domains.sources.several:
            display.say(f"sources: {domains.sources}")
        segmenter = segmenter.to(fabric.device)
        training = Run(out, config, phases, fabric, domains, segmenter, display, experiment.checkpoint_every)
        training.train(resume)
        made = {
            "version": __version__,
            "code": code_hash(),
            "method": method_name,
            "preset": preset,
            "departures": plain(departures(method, method_name, preset)),
            "first_weights": first_weights,
            "steps": training.steps_done,
            "selections": training.selections,
            "seconds": round(time.monotonic() - began),
            "machine": describe_machine(fabric, experiment.machine),
            "config": config,
        }
        # Not always the network that training began with: a phase may leave several as one.
        save_model(out, training.segmenter, made)
        return _score(training.segmenter, test, experiment.size, fabric, display, out / "scores.json")


def score_model(path: Path, data: Data, size: tuple[int, int] | None, out: Path | None) -> Scores:
    """Score a finished run on labelled frames.

    Args:
        path: the run's folder, or its ``model.safetensors``.
        data: the frames.
        size: (width, height) for the network; None is the size it was trained at.
        out: JSON file for the scores, or None.
    """
    segmenter, made = load_model(path)
    dataset = open_dataset(data, segmenter.classes)
    width, height = size or made["config"]["size"]
    fabric = make_fabric(Machine())
    with Display([], path.name) as display:
        return _score(segmenter.to(fabric.device), dataset, (width, height), fabric, display, out)


def _score(
    segmenter: Segmenter,
    dataset: SegmentationDataset,
    size: tuple[int, int],
    fabric: Fabric,
    display: Display,
    out: Path | None,
) -> Scores:
    """Evaluate under a progress bar, and keep the scores with what they belong to."""
    matrix = evaluate(segmenter, dataset, size, fabric, lambda done, total: display.count("scoring", done, total))
    scores = matrix.scores()
    if out is not None:
        scores.save(out, split=dataset.split, frames=len(dataset), network_size=size)
    return scores


def make_fabric(machine: Machine) -> Fabric:
    """Device, precision and processes, as the config says."""
    if machine.accelerator == "cuda" and not torch.cuda.is_available():
        raise UserError("No CUDA device is visible here; set --machine.accelerator to auto or cpu.")
    if machine.threads is not None:
        torch.set_num_threads(machine.threads)
    fabric = Fabric(accelerator=machine.accelerator, devices=1, precision=machine.precision)
    fabric.launch()
    return fabric


def first_segmenter(experiment: Experiment, classes: ClassSet) -> tuple[Segmenter, str]:
    """The network that training starts from, and one line on where its weights come from."""
    if experiment.start_from is not None:
        segmenter, made = load_model(experiment.start_from)
        if segmenter.classes.names != classes.names:
            raise UserError(
                f"The model in {experiment.start_from} was made for the classes of '{segmenter.classes.name}', "
                f"this run is for '{classes.name}'; start from a model of the same classes."
            )
        return (
            segmenter,
            f"starts from {experiment.start_from} ({made['method']}, {sum(made['steps'].values())} steps)",
        )
    network = experiment.network
    segmenter = build_segmenter(network.architecture, classes, **network.options)
    if network.weights is None:
        return segmenter, f"{network.architecture} starts from {segmenter.origin}"
    return segmenter, str(load_weights(segmenter, network.weights, network.sha256))


def images_at_a_time(machine: Machine, segmenter: Segmenter) -> int | None:
    """The setting of that name. Raises UserError where parts of a batch would be normalised otherwise than it all."""
    number = machine.images_at_a_time
    if number is None:
        return None
    if number < 1:
        raise UserError(f"--machine.images_at_a_time is {number}; it has to be 1 or more.")
    if not may_go_in_parts(segmenter):
        raise UserError(
            "This network normalises by the statistics of the batch, and parts of a batch have others: leave "
            "--machine.images_at_a_time out, or keep the stored statistics with "
            "--network.options '{frozen_statistics: true}'."
        )
    return number


def phases_to_train(experiment: Experiment, method: Method, segmenter: Segmenter) -> list[Phase]:
    """The method's phases, less the pretraining where a finished model replaces it; what does not fit is refused."""
    if experiment.unlabelled is not None and not method.learns_from_unlabelled():
        able = [name for name in METHODS if build(name).learns_from_unlabelled()]
        raise UserError(
            f"Nothing in this run would learn from the images without labels in {experiment.unlabelled.root}: "
            f"leave --unlabelled out, or choose a method that does ({', '.join(able)}; pixda with its critic only)."
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
    width, height = experiment.size
    shown = method.crop or experiment.size
    if shown[0] > width or shown[1] > height:
        raise UserError(
            f"A crop of {shown[0]} x {shown[1]} does not fit into images of {width} x {height} (width x height): "
            "lower --recipe.crop, or set it to null."
        )
    segmenter.check(shown, experiment.size, method.batch)
    for phase in phases:
        phase.check(segmenter, shown)
    return phases


def open_domains(experiment: Experiment, method: Method, classes: ClassSet, fabric: Fabric) -> Domains:
    """The streams of batches: which data, at which size, with the method's crops and flips."""
    # The sources last: they may have to be rendered, and a wrong path of another stream must not wait for that.
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
    )
    domains.sources.check(method.batch, fabric.world_size)
    return domains


def check_data(domains: Domains, test: SegmentationDataset, known: Path, cache: Path | None = None) -> None:
    """Decode every file once, and see that no picture is both learned from and scored.

    Args:
        domains: what is learned from.
        test: what is scored.
        known: folder that remembers what was found in order.
        cache: folder that gets the samples of what is learned from, or None.
    """
    scored = check(test, known)
    scored.raise_if_bad()
    names = {digest: name for name, digest in scored.digests.items()}
    for dataset in domains.datasets():
        samples = None if cache is None else Cache(cache, dataset)
        report = check(dataset, known, samples=samples)
        report.raise_if_bad()
        shared = [name for name, digest in report.digests.items() if digest in names]
        if shared:
            raise UserError(
                f"{len(shared)} pictures of {dataset.root}, split '{dataset.split}', are to be learned from and are "
                f"scored too, first '{shared[0]}' (as '{names[report.digests[shared[0]]]}'): take them out of one of "
                "the two, or the score means nothing."
            )


def read_cached(domains: Domains, cache: Path) -> None:
    """Let the streams read the samples that :func:`check_data` has put into the cache."""
    for dataset in domains.datasets():
        dataset.stored = Cache(cache, dataset).stored()


def code_hash() -> str:
    """A hash of the package's own files: whether two results were made by the same code."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def describe_machine(fabric: Fabric, machine: Machine) -> dict[str, Any]:
    """What the run ran on, for the record."""
    device = torch.cuda.get_device_name(fabric.device) if fabric.device.type == "cuda" else platform.processor()
    return {
        "device": device or platform.machine(),
        "threads": torch.get_num_threads(),
        "precision": machine.precision,
        "torch": torch.__version__,
    }
