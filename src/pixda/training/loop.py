"""The training loop of every method: phases, epochs, batches, checkpoints and resume."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from pixda.data.domains import Domains, StepBatch
from pixda.errors import OnlyHere, Resumable, UserError
from pixda.machine import distributed
from pixda.models.saved import save_discriminator
from pixda.models.segmenter import Segmenter
from pixda.phases.phase import Context, Phase
from pixda.phases.trainee import Trainee
from pixda.training.checkpoint import (
    Position,
    load_checkpoint,
    mismatch_explained,
    position_in,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from pixda.training.readings import NotFinite, Readings
from pixda.training.stopping import Stop
from pixda.watch.logs import Logs
from pixda.watch.progress import Display
from pixda.watch.reporter import RunReporter
from pixda.watch.samples import Samples

_LOG_EVERY = 10  # steps between two readings of the losses, each of which waits for the device


@dataclass
class Run:
    """One run of a method, in a folder.

    Attributes:
        config: everything that decides the result, as plain values; a checkpoint belongs to one config.
        segmenter: the network being made, on its device; once trained, the one that the run ends with.
        logs: what is written down; None in all processes but the first.
        samples: pictures of the shots; None likewise.
        checkpoint_every: steps between two checkpoints.
        skip_not_finite: steps of NaN or infinite gradients that may be left out.
    """

    folder: Path
    config: dict[str, Any]
    phases: Sequence[Phase]
    fabric: Fabric
    domains: Domains
    segmenter: Segmenter
    display: Display
    logs: Logs | None
    samples: Samples | None
    checkpoint_every: int
    skip_not_finite: int
    position: Position = field(default_factory=Position)
    steps_done: dict[str, int] = field(default_factory=dict)
    """Phase -> optimiser steps it has taken."""
    skipped_steps: int = 0
    """Steps left out because their gradients were not finite."""

    def __post_init__(self) -> None:
        classes = self.segmenter.classes.to_dict()
        classes["names"] = {str(index): name for index, name in enumerate(classes["names"])}  # compared one by one
        self._given = {"classes": classes, "frames": self.domains.contents()}
        self._checkpoint = self.folder / "checkpoint.pt"
        self._stop = Stop()
        self._saved: tuple[str, int] | None = None  # phase and step that the checkpoint is of
        self.reporter = RunReporter(self.display, self.logs, self._stop_if_asked)
        self.domains.unreadable.tell = self.display.say

    # ---- the loop

    def train(self, resume: bool) -> None:
        """Run all phases to their end, from the start or from the checkpoint.

        Raises:
            Resumable: on SIGINT or SIGTERM, a file that turned unreadable, a loader process that died, or a full
                disk; what could be saved is.
            UserError: a loss is not finite.
        """
        state = distributed.on_rank_zero(
            self.fabric, lambda: load_checkpoint(self._checkpoint, self.config, self._given) if resume else None
        )
        if state is not None:
            with mismatch_explained(self._checkpoint):
                self._restore_run(state)
        # From here on all ranks draw the same random numbers: first weights of discriminators, for example.
        restore_random_state(self.fabric, distributed.on_rank_zero(self.fabric, lambda: random_state(self.fabric)))
        context = Context(self.fabric, self.domains, self.segmenter, self.reporter)
        carried: Trainee[Any] | None = None
        with self._stop:
            for index in range(self.position.phase, len(self.phases)):
                phase = self.phases[index]
                phase.prepare(context, carried)
                self.segmenter = context.segmenter
                if state is not None:
                    with mismatch_explained(self._checkpoint):
                        self._restore_phase(phase, state)
                    state = None
                else:
                    self.position = Position(phase=index)
                if self.skip_not_finite:
                    for trainee in phase.trainees().values():
                        trainee.skip_not_finite_steps()
                self.reporter.begin(index, phase.name, self.position.step)
                try:
                    self._run_phase(phase)
                except NotFinite as fault:
                    raise self._diverged(phase, fault) from None
                if (discriminator := phase.opponent()) is not None and self.fabric.is_global_zero:
                    save_discriminator(self.folder, discriminator)
                carried = phase.segmenter

    def _run_phase(self, phase: Phase) -> None:
        position, read = self.position, Readings(self.fabric, at_once=self.fabric.device.type == "cpu")
        while position.step < phase.steps:
            for batch in self._fetched(phase, read):
                losses = phase.step(batch)
                position.batch += 1
                position.step += 1
                self._count_step(phase)
                last = position.step == phase.steps
                asked = self._asked_to_stop()  # a signal that arrives later stops the run one step later
                save = last or asked or position.step % self.checkpoint_every == 0
                if not self._count_skipped(phase, batch):
                    read.add(position.step, batch, losses)
                if save or position.step % _LOG_EVERY == 0:
                    self._log(phase, read)  # before saving: it raises if the losses are not finite
                else:
                    self.display.step(position.phase, position.epoch, position.step, None)
                if save:
                    self._save(phase)
                if asked:
                    raise self._stopped()
                if self.samples is not None:
                    self.samples.step(self.segmenter, phase, position.step, self.reporter.total)
                if last:
                    break
            if position.batch == 0:
                if position.step == 0:
                    raise UserError(
                        f"Phase {phase.name} has no full batch of {phase.batch} images; give it more frames."
                    )
                self.display.say(f"{phase.name} ends after {position.step} steps: no full batch is left")
                self._log(phase, read)
                self._save(phase)
                break
            if position.step < phase.steps:
                position.epoch, position.batch = position.epoch + 1, 0

    def _count_step(self, phase: Phase) -> None:
        self.steps_done[phase.name] = self.position.step
        self.reporter.total = sum(self.steps_done.values())

    def _log(self, phase: Phase, read: Readings) -> None:
        position, means = self.position, read.means()
        if means:
            means["lr"] = phase.segmenter.rate
        self.reporter.losses(phase.name, position.epoch, position.step, means, self.fabric.device)
        self.display.step(position.phase, position.epoch, position.step, means)

    # ---- faults

    def _fetched(self, phase: Phase, read: Readings) -> Iterator[StepBatch]:
        """The batches of an epoch; an error while fetching one falls between two steps: the run is saved."""
        try:
            yield from phase.batches(self.position.epoch, self.position.batch)
        except UserError as error:
            if self.fabric.world_size > 1:  # the other processes are in the middle of a step, and wait for this one
                raise OnlyHere(f"{error} The last checkpoint is whole; --resume true goes on from it.") from error
            if self.position.step > 0 and self._saved != (phase.name, self.position.step):
                self._log(phase, read)
                self._save(phase)
            if self._stop.asked:
                raise self._stopped() from error
            raise Resumable(f"{error} The run is saved at {self._saved_at}; --resume true goes on.") from error

    def _asked_to_stop(self) -> bool:
        """Whether any rank was asked to stop; all ranks stop after the same step."""
        if self.fabric.device.type == "cuda" and self.fabric.world_size > 1 and self.position.step % _LOG_EVERY:
            return False  # asking the other ranks waits for the device: only at steps that read the losses anyway
        self._stop.agree(self.fabric)
        return self._stop.asked is not None

    def _stop_if_asked(self) -> None:
        """Stop in the middle of a selection if asked (one process only: several agree after it)."""
        if self._stop.asked and self.fabric.world_size == 1:
            raise self._stopped()

    def _stopped(self) -> Resumable:
        return Resumable(
            f"Stopped by {self._stop.asked}, and saved at {self._saved_at}; "
            "the same command with --resume true goes on."
        )

    def _count_skipped(self, phase: Phase, batch: StepBatch) -> bool:
        """Whether a trainee skipped this step for gradients that are not finite; too many such steps stop the run."""
        networks = [trainee for trainee in phase.trainees().values() if trainee.skipped]
        for trainee in networks:
            trainee.skipped = False
        if networks:
            self.skipped_steps += 1
            if self.skipped_steps > self.skip_not_finite:
                raise NotFinite(self.position.step, {}, batch)
            count = f"{self.skipped_steps} of at most {self.skip_not_finite}"
            self.display.say(
                f"left out, {count}: step {self.position.step} of {phase.name}, whose gradients are not finite"
            )
        return bool(networks)

    def _diverged(self, phase: Phase, fault: NotFinite) -> UserError:
        """Write not_finite.json with the images of the step, and return the error to raise."""
        path = self.folder / "not_finite.json"
        losses = {name: str(value) for name, value in fault.losses.items()}  # JSON has no NaN
        images: dict[str, list[str]] = {}
        for part in distributed.gathered(self.fabric, self.domains.files(fault.batch)):
            for stream, files in part.items():
                images.setdefault(stream, []).extend(files)
        about = {"phase": phase.name, "step": fault.step, "losses": losses, "images": images}
        if self.fabric.is_global_zero:
            path.write_text(json.dumps(about, indent=2) + "\n")
        first = next((f"loss '{name}' is {value}" for name, value in fault.losses.items() if not isfinite(value)), None)
        return UserError(
            f"The {first or 'gradients are not finite'} at step {fault.step} of phase {phase.name}; {path} names the "
            f"images. What is saved is from {self._saved_at}. Begin anew with a lower learning rate "
            "(--recipe.segmenter.lr), or go on with --resume true and --skip_not_finite N: N such steps are left out."
        )

    # ---- the state

    def _save(self, phase: Phase) -> None:
        """Write a checkpoint.

        Raises:
            UserError: a network is not finite.
            Resumable: there is no room, or the processes have found too many unreadable files together.
        """
        unreadable = self.domains.unreadable
        try:
            unreadable.join(distributed.gathered(self.fabric, unreadable.files))
        except UserError as error:
            raise Resumable(f"{error} The last checkpoint is whole; --resume true goes on from it.") from error
        step = f"step {self.position.step} of phase {phase.name}"
        for name, trainee in phase.trainees().items():
            if not trainee.is_finite():
                raise UserError(
                    f"After {step} the weights of the {name} are not finite, though the losses were. What is saved is "
                    f"from {self._saved_at}. Begin anew with a lower learning rate (--recipe.segmenter.lr)."
                )
        distributed.on_rank_zero(self.fabric, lambda: self._write(phase, step))
        self._saved = (phase.name, self.position.step)

    def _write(self, phase: Phase, step: str) -> None:
        state = {
            "config": self.config,
            "given": self._given,
            "position": asdict(self.position),
            "trainees": {name: trainee.state_dict() for name, trainee in phase.trainees().items()},
            "phase": phase.state_dict(),
            "selections": self.reporter.selections,
            "steps_done": self.steps_done,
            "left_out": self.skipped_steps,
            "unreadable": self.domains.unreadable.files,
            "paces": self.display.pace.seconds,  # for the estimate of the time left only
            "random": random_state(self.fabric),
        }
        try:
            save_checkpoint(self._checkpoint, state)
        except OSError as error:
            raise Resumable(
                f"The checkpoint of {step} cannot be written to {self.folder}: {error.strerror}. That of "
                f"{self._saved_at} is untouched: make room, and the same command with --resume true goes on from it."
            ) from error

    @property
    def _saved_at(self) -> str:
        return "the beginning" if self._saved is None else "step {1} of phase {0}".format(*self._saved)

    def _restore_run(self, state: dict[str, Any]) -> None:
        self.position = position_in(state, len(self.phases))
        self.steps_done, self.reporter.selections = state["steps_done"], state["selections"]
        self.reporter.total = sum(self.steps_done.values())
        # An older checkpoint does not have these.
        self.skipped_steps = state.get("left_out", 0)
        self.domains.unreadable.files = state.get("unreadable", [])
        self.display.pace.seconds |= state.get("paces", {})
        self._saved = (self.phases[self.position.phase].name, self.position.step)

    def _restore_phase(self, phase: Phase, state: dict[str, Any]) -> None:
        for name, trainee in phase.trainees().items():
            trainee.load_state_dict(state["trainees"][name])
        phase.load_state_dict(state["phase"])
        restore_random_state(self.fabric, state["random"])
