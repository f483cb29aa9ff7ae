"""The one loop that runs every method: phases, their epochs, their batches; and the one state that resumes."""

import math
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from pixda.checkpoint import load_checkpoint, random_state, restore_random_state, save_checkpoint
from pixda.data.domains import Domains
from pixda.errors import UserError
from pixda.logs import Logs
from pixda.models.segmenter import Segmenter
from pixda.phases.phase import Losses, Phase, Workplace
from pixda.phases.trainee import Trainee
from pixda.progress import Display
from pixda.reading import one_line
from pixda.selection import Selected


class Interrupted(UserError):
    """The user or the system asked the run to stop; it was saved first."""


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


def stored_position(state: dict[str, Any], phases: int, path: Path) -> Position:
    """Where a checkpoint stands. Raises UserError if that is nowhere in a run of so many phases."""
    try:
        position = Position(**state["position"])
        counts = [*asdict(position).values(), *state["steps_done"].values()]
        if not all(type(count) is int and count >= 0 for count in counts) or position.phase >= phases:
            raise ValueError("its position is outside the run")
        if not isinstance(state["selections"], list):
            raise TypeError("its selections are no list")
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"The checkpoint {path} cannot be read ({one_line(error)}); start the run anew.") from error
    return position


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
    position: Position = field(default_factory=Position)
    selections: list[dict[str, Any]] = field(default_factory=list)
    """Epoch, rule, images judged and kept of every selection so far; of several sources, which one it is of."""
    steps_done: dict[str, int] = field(default_factory=dict)
    """Phase -> optimiser steps it has taken."""

    def __post_init__(self) -> None:
        self._stop: str | None = None
        self._logs = Logs(self.folder / "logs")

    @property
    def checkpoint(self) -> Path:
        """The file to go on from."""
        return self.folder / "checkpoint.pt"

    # ---- the loop

    def train(self, resume: bool) -> None:
        """Run all phases to their end, from the start or from the checkpoint.

        Raises:
            Interrupted: on SIGINT or SIGTERM, once everything is saved.
            UserError: a loss is not finite.
        """
        state = load_checkpoint(self.checkpoint, self.config) if resume else None
        if state is not None:
            self.position = stored_position(state, len(self.phases), self.checkpoint)
            self.selections, self.steps_done = state["selections"], state["steps_done"]
        place = Workplace(self.fabric, self.domains, self.segmenter, journal=self)
        carried: Trainee[Any] | None = None
        with self._stoppable():
            for index in range(self.position.phase, len(self.phases)):
                phase = self.phases[index]
                phase.prepare(place, carried)
                self.segmenter = place.segmenter
                if state is not None:
                    self._restore(phase, state)
                    state = None
                else:
                    self.position = Position(phase=index)
                self._logs.rewind(phase.name, self.position.step)
                self.display.begin(index, self.position.step)
                self._run_phase(phase)
                carried = phase.segmenter
        self._logs.close()

    def _run_phase(self, phase: Phase) -> None:
        position, read = self.position, _Reader(phase.name)
        while position.step < phase.steps:
            for pair in phase.batches(position.epoch, position.batch):
                losses = phase.step(pair)
                position.batch += 1
                position.step += 1
                self.steps_done[phase.name] = position.step
                last = position.step == phase.steps
                save = last or bool(self._stop) or position.step % self.checkpoint_every == 0
                read.add(losses)
                if save or position.step % self.log_every == 0:
                    self._log(phase, read.means())  # before saving: a network that is not finite is not kept
                else:
                    self.display.step(position.phase, position.step, None)
                if save:
                    self._save(phase)
                if self._stop:
                    self._logs.close()
                    raise Interrupted(
                        f"Stopped by {self._stop} at step {position.step} of phase {phase.name}, and saved; "
                        "the same command with --resume true goes on."
                    )
                if last:
                    break
            if position.batch == 0:
                if position.step == 0:
                    raise UserError(
                        f"Phase {phase.name} has no full batch of {phase.batch} images; give it more frames."
                    )
                self.display.say(f"{phase.name} ends after {position.step} steps: no full batch is left")
                if not read.empty:
                    self._log(phase, read.means())
                self._save(phase)
                break
            if position.step < phase.steps:
                position.epoch, position.batch = position.epoch + 1, 0

    def _log(self, phase: Phase, means: dict[str, float]) -> None:
        position = self.position
        means["lr"] = phase.segmenter.rate
        self._logs.losses(phase.name, position.epoch, position.step, means)
        self.display.step(position.phase, position.step, means)

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
        """Show how far a selection is."""
        self.display.count("selection", done, total)

    def labelled(self, images: int, share: float) -> None:
        """Show what the pseudo-labels cover."""
        self.display.say(f"pseudo-labels: {share:.0%} of the pixels of {images} target images")

    def labelling(self, done: int, total: int) -> None:
        """Show how far the pseudo-labels are."""
        self.display.count("pseudo-labels", done, total)

    # ---- the state

    def _save(self, phase: Phase) -> None:
        state = {
            "config": self.config,
            "position": asdict(self.position),
            "trainees": {name: trainee.state_dict() for name, trainee in phase.trainees().items()},
            "phase": phase.state_dict(),
            "selections": self.selections,
            "steps_done": self.steps_done,
            "random": random_state(self.fabric),
        }
        save_checkpoint(self.checkpoint, state)

    def _restore(self, phase: Phase, state: dict[str, Any]) -> None:
        try:
            for name, trainee in phase.trainees().items():
                trainee.load_state_dict(state["trainees"][name])
            phase.load_state_dict(state["phase"])
            restore_random_state(self.fabric, state["random"])
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise UserError(
                f"The checkpoint {self.checkpoint} does not fit this run ({one_line(error)}); start the run anew."
            ) from error

    # ---- stopping

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM end the step in hand, save, and stop; a second SIGINT stops at once."""

        def ask(number: int, frame: FrameType | None) -> None:
            if self._stop and number == signal.SIGINT:
                raise KeyboardInterrupt
            self._stop = signal.Signals(number).name

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Reader:
    """Sums losses on the device, and reads their means off it only when asked."""

    def __init__(self, phase: str) -> None:
        self._phase = phase
        self._sums: dict[str, Tensor] = {}
        self._counts: Counter[str] = Counter()  # a loss may be absent from a step: its source has dropped out

    @property
    def empty(self) -> bool:
        return not self._counts

    def add(self, losses: Losses) -> None:
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts.update(losses.keys())

    def means(self) -> dict[str, float]:
        sums = torch.stack([v.float() for v in self._sums.values()]).tolist()
        values = [total / self._counts[name] for name, total in zip(self._sums, sums, strict=True)]
        means = dict(zip(self._sums, values, strict=True))
        for name, value in means.items():
            if not math.isfinite(value):
                raise UserError(
                    f"The loss '{name}' of phase {self._phase} is {value}; lower the learning rate "
                    "(--recipe.segmenter.lr) and go on from the last checkpoint, or start anew."
                )
        self._sums, self._counts = {}, Counter()
        return means
