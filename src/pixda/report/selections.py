"""What the selections of a run did: scores, threshold, and who stayed."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from pixda.data.sources import Sources
from pixda.report.pictures import Captioned, captioned


@dataclass(frozen=True)
class Judgement:
    """One selection, of one source."""

    epoch: int
    source: str
    """Which of several sources; "" where there is one."""
    scores: dict[str, float]
    """Image -> mean of -log P(source), >= 0."""
    kept: frozenset[str]
    delta: float | None
    """The threshold; None where a number of images was kept instead."""

    @property
    def title(self) -> str:
        """For people."""
        return f"after epoch {self.epoch}" + (f", {self.source}" if self.source else "")


@dataclass(frozen=True)
class Gallery:
    """The extremes of one selection."""

    title: str
    rows: dict[str, list[Captioned]]
    """"kept", those most like the target first, and "dropped", those least like it first."""


def judgements(logs: Path) -> list[Judgement]:
    """All selections of a run, in their order."""
    found = []
    for file in logs.glob("selection_*.csv"):
        match = re.fullmatch(r"selection_(\d+)(?:_(.+))?", file.stem)
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        if match is None or not rows:
            continue
        scores = {row["name"]: float(row["score"]) for row in rows}
        kept = frozenset(row["name"] for row in rows if row["kept"] == "1")
        delta = float(rows[0]["delta"]) if "delta" in rows[0] else None
        found.append(Judgement(int(match[1]), match[2] or "", scores, kept, delta))
    return sorted(found, key=lambda one: (one.epoch, one.source))


def gallery(judgement: Judgement, sources: Sources, each: int = 4) -> Gallery:
    """The kept images with the highest scores and the dropped ones with the lowest, as they are stored."""
    ranked = sorted(judgement.scores, key=lambda name: (-judgement.scores[name], name))
    rows = {
        "kept": [name for name in ranked if name in judgement.kept][:each],
        "dropped": [name for name in reversed(ranked) if name not in judgement.kept][:each],
    }
    pictures = {
        word: [
            captioned(sources[int(place)].image, f"{name}, score {judgement.scores[name]:.2f}, {word}")
            for name, place in zip(names, sources.places(names), strict=True)
        ]
        for word, names in rows.items()
        if names
    }
    return Gallery(judgement.title, pictures)
