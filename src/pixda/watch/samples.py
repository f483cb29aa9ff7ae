"""Pictures of predictions on the shots during training, using at most 1 % of the time."""

import math
import time
from pathlib import Path

import torch
from lightning_fabric import Fabric

from pixda.data.domains import Domains
from pixda.evaluation import predict
from pixda.metrics import ConfusionMatrix
from pixda.models.segmenter import Segmenter
from pixda.phases.phase import Phase
from pixda.sheet import colourise, picture, sheet
from pixda.watch.logs import Logs
from pixda.watch.progress import Display

_SHARE = 0.01  # of the time of the run, at most
_SPREAD = 1.2  # the next picture of a phase comes when it has gone on for so many times as long as at the last
_WIDTH = 320  # pixels of an image in the picture


class Samples:
    """Image, truth and prediction of a few shots, in ``<folder>/<phase>_<step>.jpg`` and for the loggers.

    Pictures come ever more rarely in a phase, and never before all of them together stay within 1 % of the time since
    the run began or went on. What the first will take is guessed from above: as many steps as show the network as many
    pixels, though these learn from them, too; and a second to draw. The network is asked in eval mode, and nothing that
    training depends on changes: neither random numbers nor statistics.

    Args:
        folder: made for the first picture.
        domains: whose first shots are shown, whole, at the size they are trained at.
        count: shots to show; 0 shows nothing.
        fabric: device and precision.
        logs: told of every picture.
        display: whose clock says what a step takes, and which shows the mIoU of these shots.
    """

    def __init__(
        self, folder: Path, domains: Domains, count: int, fabric: Fabric, logs: Logs, display: Display
    ) -> None:
        self._folder, self._domains, self._count = folder, domains, min(count, len(domains.target))
        self._fabric, self._logs, self._display = fabric, logs, display
        self._began = time.monotonic()
        self._spent = 0.0
        self._last: float | None = None  # what the last picture took
        self._phase = ""
        self._phase_began = 0.0
        self._next = 0.0  # seconds of the phase

    def step(self, segmenter: Segmenter, phase: Phase, step: int, total: int) -> None:
        """Draw a picture after this step if it is time."""
        now = time.monotonic()
        if phase.name != self._phase:
            self._phase, self._phase_began, self._next = phase.name, now, 0.0
        pace = self._display.pace.seconds.get(phase.name)
        if not self._count or pace is None or now - self._phase_began < self._next:
            return
        cost = self._guess(pace, phase.batch) if self._last is None else self._last
        if self._spent + cost > _SHARE * (now - self._began):
            return
        self._draw(segmenter, phase.name, step, total)
        self._last = time.monotonic() - now
        self._spent += self._last
        self._next = _SPREAD * (now - self._phase_began)

    def _guess(self, pace: float, batch: int) -> float:
        whole = learned = 1
        if self._domains.crop is not None and self._domains.target.size is not None:
            whole, learned = math.prod(self._domains.target.size), math.prod(self._domains.crop)
        return self._count * pace * whole / (batch * learned) + 1.0

    @torch.no_grad()
    def _draw(self, segmenter: Segmenter, phase: str, step: int, total: int) -> None:
        matrix = ConfusionMatrix(segmenter.classes, self._fabric.device)
        rows, sides = [], []
        training = segmenter.training
        segmenter.eval()
        for index in range(self._count):
            sample = self._domains.target[index]
            predicted = predict(segmenter, sample.image, None, self._fabric)
            matrix.update(predicted, sample.mask.to(self._fabric.device))
            classes = segmenter.classes
            rows.append([picture(sample.image), colourise(sample.mask, classes), colourise(predicted, classes)])
            sides.append(sample.name[-16:])
        segmenter.train(training)
        labelled = int(matrix.counts.sum()) > 0
        if labelled:
            self._display.fact(f"mIoU of {self._count} shots", f"{100 * matrix.scores().miou:.1f}")
        else:  # a method that does not read the labels of the shots
            rows = [[image, said] for image, _, said in rows]
        heads = ["image", *(["truth"] if labelled else []), f"{phase}, step {step}"]
        height, width = sample.image.shape[-2:]
        drawn = sheet(rows, heads, sides, (_WIDTH, round(_WIDTH * height / width)))
        self._folder.mkdir(exist_ok=True)
        drawn.save(self._folder / f"{phase}_{step:06d}.jpg", quality=90)
        self._logs.picture(phase, "shots", drawn, step, total)
