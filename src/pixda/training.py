"""The one loop that runs every method: phases, their epochs, their batches; and the one state that resumes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from pixda.checkpoint import fitting, load_checkpoint, random_state, restore_random_state, save_checkpoint
from pixda.data.domains import Domains, Pair
from pixda.errors import Resumable, UserError
from pixda.logs import Logs
from pixda.models.segmenter import Segmenter
from pixda.phases.phase import Phase, Workplace
from pixda.phases.trainee import Trainee
from pixda.progress import Display
from pixda.readings import NotFinite, Readings
from pixda.selection import Selected
from pixda.stopping import Stop


@dataclass
class Position:
    """Where a run stands."""

    phase: int = 0
    """Index of the phase."""
    epoch: int = 0
    """Epochs of the phase that are behind."""
    batch: int = 0
    """Batches of the epoch that are behind."""
    step: int = 0
    """Steps of the phase that are behind."""


@dataclass
class Run:
    """One run of a method, in a folder.

    Attributes:
        folder: where the checkpoint and the logs go.
        config: everything that decides the result, as plain values; a checkpoint belongs to one config.
        phases: the method's.
        fabric: device, precision, processes.
        domains: the streams of batches.
        segmenter: the network being made, on its device; once trained, the one that the run ends with.
        display: what the user sees.
        checkpoint_every: steps between two checkpoints.
        log_every: steps between two readings of the losses, each of which waits for the device.
        skip_not_finite: steps of NaN or infinite gradients that may be left out.
    """

    folder: Path
    config: dict[str, Any]
    phases: Sequence[Phase]
    fabric: Fabric
    domains: Domains
    segmenter: Segmenter
    display: Display
    checkpoint_every: int = 500
    log_every: int = 10
    skip_not_finite: int = 0
    position: Position = field(default_factory=Position)
    selections: list[dict[str, Any]] = field(default_factory=list)
    """Epoch, rule, images judged and kept of every selection so far; of several sources, which one it is of."""
    steps_done: dict[str, int] = field(default_factory=dict)
    """Phase -> optimiser steps it has taken."""
    left_out: int = 0
    """Steps left out because their gradients were not finite."""

    def __post_init__(self) -> None:
        classes = self.segmenter.classes.to_dict()
        classes["names"] = {str(index): name for index, name in enumerate(classes["names"])}  # compared one by one
        self._given = {"classes": classes, "frames": self.domains.contents()}
        self._stop = Stop()
        self._saved: tuple[str, int] | None = None  # phase and step that the checkpoint is of
        self._logs = Logs(self.folder / "logs")
        self.domains.unreadable.tell = self.display.say

    @property
    def checkpoint(self) -> Path:
        """The file to go on from."""
        return self.folder / "checkpoint.pt"

    # ---- the loop

    def train(self, resume: bool) -> None:
        """Run all phases to their end, from the start or from the checkpoint.

        Raises:
            Resumable: on SIGINT or SIGTERM, a file that turned unreadable, a loader process that died, or a full
                disk; what could be saved is.
            UserError: a loss is not finite.
        """
        state = load_checkpoint(self.checkpoint, self.config, self._given) if resume else None
        if state is not None:
            with fitting(self.checkpoint):
                self._take_back(state)
        place = Workplace(self.fabric, self.domains, self.segmenter, journal=self)
        carried: Trainee[Any] | None = None
        with self._stop:
            for index in range(self.position.phase, len(self.phases)):
                phase = self.phases[index]
                phase.prepare(place, carried)
                self.segmenter = place.segmenter
                if state is not None:
                    with fitting(self.checkpoint):
                        self._restore(phase, state)
                    state = None
                else:
                    self.position = Position(phase=index)
                if self.skip_not_finite:
                    for trainee in phase.trainees().values():
                        trainee.leave_out_not_finite()
                self._logs.rewind(phase.name, self.position.step)
                self.display.begin(index, self.position.step)
                try:
                    self._run_phase(phase)
                except NotFinite as fault:
                    raise self._diverged(phase, fault) from None
                carried = phase.segmenter
        self._logs.close()

    def _run_phase(self, phase: Phase) -> None:
        position, read = self.position, Readings(at_once=self.fabric.device.type == "cpu")
        while position.step < phase.steps:
            for pair in self._fetched(phase, read):
                losses = phase.step(pair)
                position.batch += 1
                position.step += 1
                self.steps_done[phase.name] = position.step
                last = position.step == phase.steps
                asked = self._stop.asked is not None  # looked at once: who asks from here on is heard a step later
                save = last or asked or position.step % self.checkpoint_every == 0
                if not self._was_left_out(phase, pair):
                    read.add(position.step, pair, losses)
                if save or position.step % self.log_every == 0:
                    self._log(phase, read)  # before saving: a network that is not finite is not kept
                else:
                    self.display.step(position.phase, position.step, None)
                if save:
                    self._save(phase)
                if asked:
                    self._stop_if_asked()
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

    def _log(self, phase: Phase, read: Readings) -> None:
        position, means = self.position, read.means()
        if means:
            means["lr"] = phase.segmenter.rate
            self._logs.losses(phase.name, position.epoch, position.step, means)
        self.display.step(position.phase, position.step, means)

    # ---- faults

    def _fetched(self, phase: Phase, read: Readings) -> Iterator[Pair]:
        """The pairs of an epoch; what stops the run while one is fetched stops it between two steps: it is saved."""
        try:
            yield from phase.batches(self.position.epoch, self.position.batch)
        except UserError as error:
            if self.position.step > 0 and self._saved != (phase.name, self.position.step):
                self._log(phase, read)
                self._save(phase)
            self._stop_if_asked()
            raise Resumable(f"{error} The run is saved at {self._saved_at}; --resume true goes on.") from error

    def _stop_if_asked(self) -> None:
        if self._stop.asked:
            raise Resumable(
                f"Stopped by {self._stop.asked}, and saved at {self._saved_at}; "
                "the same command with --resume true goes on."
            )

    def _was_left_out(self, phase: Phase, pair: Pair) -> bool:
        """Whether a network left this step out; such steps are counted, and too many stop the run."""
        networks = [trainee for trainee in phase.trainees().values() if trainee.left_out]
        for trainee in networks:
            trainee.left_out = False
        if networks:
            self.left_out += 1
            if self.left_out > self.skip_not_finite:
                raise NotFinite(self.position.step, {}, pair)
            count = f"{self.left_out} of at most {self.skip_not_finite}"
            self.display.say(
                f"left out, {count}: step {self.position.step} of {phase.name}, whose gradients are not finite"
            )
        return bool(networks)

    def _diverged(self, phase: Phase, fault: NotFinite) -> UserError:
        """Write down which images a step was on whose losses are not finite, and say what can be done."""
        path = self.folder / "not_finite.json"
        losses = {name: str(value) for name, value in fault.losses.items()}  # JSON has no NaN
        about = {"phase": phase.name, "step": fault.step, "losses": losses, "images": self.domains.files(fault.pair)}
        path.write_text(json.dumps(about, indent=2) + "\n")
        first = next((f"loss '{name}' is {value}" for name, value in fault.losses.items() if not isfinite(value)), None)
        return UserError(
            f"The {first or 'gradients are not finite'} at step {fault.step} of phase {phase.name}; {path} names the "
            f"images. What is saved is from {self._saved_at}. Begin anew with a lower learning rate "
            "(--recipe.segmenter.lr), or go on with --resume true and --skip_not_finite N: N such steps are left out."
        )

    # ---- the journal of the phases

    def selected(self, result: Selected) -> None:
        """Write down what a selection kept, and show it."""
        kept, of = len(result.kept), len(result.scores)
        self._logs.selection(result)
        source = {} if result.source is None else {"source": result.source}
        self.selections.append({"epoch": result.epoch, **source, **asdict(result.rule), "kept": kept, "of": of})
        images = "source images" if result.source is None else f"images of {result.source}"
        self.display.say(f"selection: {kept} of {of} {images} stay ({result.rule})")

    def dropped(self, source: str) -> None:
        """Say that a source is not drawn from any more."""
        self.display.say(f"selection: {source} drops out, too few of its images stay for its share of a batch")

    def scoring(self, done: int, total: int) -> None:
        """Show how far a selection is; it can be stopped, and is then made anew."""
        self._stop_if_asked()
        self.display.count("selection", done, total)

    def labelled(self, images: int, share: float) -> None:
        """Show what the pseudo-labels cover."""
        self.display.say(f"pseudo-labels: {share:.0%} of the pixels of {images} target images")

    def labelling(self, done: int, total: int) -> None:
        """Show how far the pseudo-labels are; they, too, are then made anew."""
        self._stop_if_asked()
        self.display.count("pseudo-labels", done, total)

    # ---- the state

    def _save(self, phase: Phase) -> None:
        """Keep everything. Raises UserError where a network is not finite, Resumable where there is no room."""
        step = f"step {self.position.step} of phase {phase.name}"
        for name, trainee in phase.trainees().items():
            if not trainee.is_finite():
                raise UserError(
                    f"After {step} the weights of the {name} are not finite, though the losses were. What is saved is "
                    f"from {self._saved_at}. Begin anew with a lower learning rate (--recipe.segmenter.lr)."
                )
        state = {
            "config": self.config,
            "given": self._given,
            "position": asdict(self.position),
            "trainees": {name: trainee.state_dict() for name, trainee in phase.trainees().items()},
            "phase": phase.state_dict(),
            "selections": self.selections,
            "steps_done": self.steps_done,
            "left_out": self.left_out,
            "unreadable": self.domains.unreadable.files,
            "random": random_state(self.fabric),
        }
        try:
            save_checkpoint(self.checkpoint, state)
        except OSError as error:
            raise Resumable(
                f"The checkpoint of {step} cannot be written to {self.folder}: {error.strerror}. That of "
                f"{self._saved_at} is untouched: make room, and the same command with --resume true goes on from it."
            ) from error
        self._saved = (phase.name, self.position.step)

    @property
    def _saved_at(self) -> str:
        return "the beginning" if self._saved is None else "step {1} of phase {0}".format(*self._saved)

    def _take_back(self, state: dict[str, Any]) -> None:
        self.position = Position(**state["position"])
        self.selections, self.steps_done = state["selections"], state["steps_done"]
        # An older checkpoint does not have these.
        self.left_out = state.get("left_out", 0)
        self.domains.unreadable.files = state.get("unreadable", [])
        self._saved = (self.phases[self.position.phase].name, self.position.step)

    def _restore(self, phase: Phase, state: dict[str, Any]) -> None:
        for name, trainee in phase.trainees().items():
            trainee.load_state_dict(state["trainees"][name])
        phase.load_state_dict(state["phase"])
        restore_random_state(self.fabric, state["random"])
