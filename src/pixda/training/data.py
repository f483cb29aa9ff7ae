"""The data of a run, opened and checked: shots, sources, unlabelled frames, and what is scored."""

from dataclasses import replace
from pathlib import Path

from lightning_fabric import Fabric

from pixda.config import Experiment
from pixda.data.cache import Cache
from pixda.data.check import Report, check
from pixda.data.classes import ClassSet
from pixda.data.dataset import SegmentationDataset
from pixda.data.domains import Domains
from pixda.data.loading import Unreadable
from pixda.data.open import open_dataset, open_shots, open_unlabelled
from pixda.data.shots import write_manifest
from pixda.errors import UserError
from pixda.methods.method import Method
from pixda.models.segmenter import Segmenter
from pixda.terminal import console
from pixda.typical import choose, describe, see
from pixda.watch.progress import Display


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
