"""One run from its configuration: check the data, train the phases, keep the model, score it once."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import yaml

from pixda import __version__
from pixda.config import Experiment, plain
from pixda.data.classes import ClassSet
from pixda.data.shots import write_manifest
from pixda.errors import UserError
from pixda.machine import distributed
from pixda.machine.devices import describe_machine, processes_line, start_processes
from pixda.machine.faults import resource_errors_explained
from pixda.machine.lock import hold
from pixda.methods import departures
from pixda.methods.method import Method
from pixda.metrics import Scores
from pixda.models.layers import synchronise
from pixda.models.saved import model_hash, save_model
from pixda.models.segmenter import Segmenter
from pixda.provenance import code_hash
from pixda.training.loop import Run
from pixda.training.preparation import prepare
from pixda.training.scoring import score
from pixda.watch.loggers import check_installed
from pixda.watch.logs import Logs
from pixda.watch.progress import Display
from pixda.watch.samples import Samples


def run(
    experiment: Experiment,
    method: Method,
    method_name: str,
    preset: str,
    out: Path,
    resume: bool = False,
    held_out: Sequence[str] | None = None,
    own: Callable[[ClassSet], Segmenter] | None = None,
) -> Scores | None:
    """Train a method and score its model on the target's test split, or on frames held out of the shots.

    Where there are neither (``target.test_split`` is None), the model is left without a score, and None returned.

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
        own: makes the network for a class set, in place of ``experiment.network``.

    Raises:
        UserError: wrong input, found before training starts; another process in ``out``; or a stop that was asked
            for.
    """
    fabric = start_processes(experiment.machine)
    with resource_errors_explained(out), distributed.as_one(fabric), ExitStack() as opened:
        distributed.on_rank_zero(fabric, lambda: opened.enter_context(hold(out)))
        begun = distributed.on_rank_zero(fabric, (out / "checkpoint.pt").exists)
        resume = resume and begun
        if not resume and begun:
            raise UserError(f"{out} holds a run already; add --resume true to go on with it, or choose another --out.")
        check_installed(experiment.watch.loggers)
        # Machine and watch settings may change on resume, so they are not part of the config that is compared.
        config = plain({"method": method_name, "preset": preset, "recipe": asdict(method), **asdict(experiment)})
        aside = {"machine": config.pop("machine"), "watch": config.pop("watch")}
        fabric.seed_everything(experiment.seed, verbose=False)

        segmenter, first_weights, phases, test, domains = distributed.rank_zero_first(
            fabric, lambda: prepare(experiment, method, fabric, out, resume, held_out, own)
        )

        def begin() -> None:
            out.mkdir(parents=True, exist_ok=True)
            if not resume:
                (out / "config.yaml").write_text(yaml.safe_dump({**config, **aside}, sort_keys=False))
                shots = [frame.name for frame in domains.target.frames]
                write_manifest(out / "shots.json", shots, f"{experiment.target.shot_list}, seed {experiment.seed}")

        distributed.on_rank_zero(fabric, begin)

        began = time.monotonic()
        scored = (out / "scores.json").exists()
        display = opened.enter_context(Display([(phase.name, phase.steps) for phase in phases], method_name))
        written: list[Logs] = []  # rank 0 only

        def open_logs() -> None:
            logs = Logs(out / "logs", experiment.watch.loggers, out.name, config, display.say, resume)
            written.append(opened.enter_context(logs))

        distributed.on_rank_zero(fabric, open_logs)
        logs = written[0] if written else None
        display.say(first_weights)
        if domains.sources.several:
            display.say(f"sources: {domains.sources}")
        if fabric.world_size > 1:
            display.say(processes_line(fabric, method.batch, experiment.machine))
            if experiment.machine.batch_statistics == "synchronised":
                synchronise(segmenter, fabric.device)
        segmenter = segmenter.to(fabric.device)
        samples = None
        if logs is not None:
            samples = Samples(out / "samples", domains, experiment.watch.samples, fabric, logs, display)
        # By its hash: the model file may be moved before a resume.
        first = None if experiment.start_from is None else model_hash(experiment.start_from)
        training = Run(
            out,
            {**config, "start_from": first},
            phases,
            fabric,
            domains,
            segmenter,
            display,
            logs,
            samples,
            experiment.checkpoint_every,
            experiment.skip_not_finite,
        )
        training.train(resume)
        made = {
            "version": __version__,
            "code": code_hash(),
            "method": method_name,
            "preset": preset,
            "departures": plain(departures(method, method_name, preset)),
            "first_weights": first_weights,
            "steps": training.steps_done,
            "selections": training.reporter.selections,
            "skipped": {"files": domains.unreadable.files, "steps": training.skipped_steps},
            "seconds": round(time.monotonic() - began),
            "machine": describe_machine(fabric, experiment.machine),
            "config": config,
        }
        # A phase may have replaced the network that training began with (by an ensemble).
        distributed.on_rank_zero(fabric, lambda: save_model(out, training.segmenter, made))
        if test is None:
            display.say(
                "not scored: there are no labelled test frames (target.test_split is null); `pixda validate` with the "
                "same options scores by K-fold over the shots"
            )
            return None
        scores = score(training.segmenter, test, experiment.size, fabric, display, out / "scores.json")
        if logs is not None and not scored:
            logs.scores(scores, training.reporter.total)
        return scores
