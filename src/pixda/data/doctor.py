"""Checks the datasets of an experiment (source, shots, test), each alone and then together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from pixda.data.check import Report, check
from pixda.data.dataset import SegmentationDataset
from pixda.data.findings import squeezed
from pixda.errors import UserError

Open = Callable[[], SegmentationDataset]


class Finding(NamedTuple):
    """An error or a warning: one sentence with what to do."""

    level: Literal["error", "warning"]
    about: str
    """Name of the set, or of two."""
    text: str


@dataclass(frozen=True)
class Examined:
    """A dataset and its report."""

    dataset: SegmentationDataset
    report: Report


@dataclass(frozen=True)
class Diagnosis:
    """The datasets that could be opened, by name, and all findings."""

    sets: dict[str, Examined]
    findings: list[Finding]

    @property
    def errors(self) -> int:
        """Number of findings that forbid training."""
        return sum(finding.level == "error" for finding in self.findings)


def diagnose(
    sets: Mapping[str, Open],
    cache: Path | None = None,
    progress: bool = True,
    size: tuple[int, int] | None = None,
) -> Diagnosis:
    """Open and check every dataset, also after one that cannot be opened.

    Args:
        sets: name to how it is opened (not strictly, so that files without partners become findings). The names
            "source" ("source 2", ..., where there are several), "shots" and "test" are compared with one another.
        cache: folder of kept reports, as for `check`.
        progress: whether bars are shown.
        size: (width, height) of the network, if it is known.
    """
    examined: dict[str, Examined] = {}
    findings: list[Finding] = []
    for name, opened in sets.items():
        try:
            dataset = opened()
        except UserError as error:
            findings.append(Finding("error", name, str(error)))
            continue
        report = check(dataset, cache, progress)
        examined[name] = Examined(dataset, report)
        findings += [Finding("error", name, text) for text in report.problems]
        findings += [Finding("warning", name, text) for text in (*report.warnings, *squeezed(report.images, size))]
    reports = {name: one.report for name, one in examined.items()}
    if "shots" in reports and "test" in reports:
        findings += _leaks(reports["shots"], reports["test"])
    sources = [name for name in sets if name.partition(" ")[0] == "source"]
    if sources and reports.keys() >= {*sources, "shots"} and any(reports["shots"].pixels):  # shots may be unlabelled
        findings += _classes([examined[name] for name in sources], reports["shots"])
    if "test" in reports and reports["test"].absent:
        text = f"{', '.join(reports['test'].absent)}: no pixel to score on, so no IoU and no part in any mean."
        findings.append(Finding("warning", "test", text))
    return Diagnosis(examined, sorted(findings, key=lambda finding: finding.level))


def _leaks(shots: Report, test: Report) -> list[Finding]:
    """Pictures that are among the shots and among the test frames, compared by content and not by name."""
    names = {digest: name for name, digest in test.digests.items()}
    shared = [f"{name} = {names[digest]}" for name, digest in shots.digests.items() if digest in names]
    if not shared:
        return []
    told = ", ".join(shared[:3]) + (", ..." if len(shared) > 3 else "")
    text = f"{len(shared)} of the shots are test frames too ({told}): scores would be too good; choose other shots."
    return [Finding("error", "shots, test", text)]


def _classes(sources: Sequence[Examined], shots: Report) -> list[Finding]:
    """Classes without a pixel in any source, in the shots, or in both."""
    absent = [name for name in shots.names if all(name in one.report.absent for one in sources)]
    nowhere = [name for name in absent if name in shots.absent]
    real_only = [name for name in absent if name not in shots.absent]
    source_only = [name for name in shots.absent if name not in absent]
    unlabelled = set.intersection(*(set(one.dataset.classes.missing_in(one.dataset.scheme)) for one in sources))
    texts = []
    if nowhere:
        texts.append(
            f"{', '.join(nowhere)}: in neither, so never learned; add frames that show them (pixda shots --cover true)."
        )
    if real_only:
        why = "its label scheme has none of them" if unlabelled.issuperset(real_only) else "no pixel there"
        texts.append(
            f"{', '.join(real_only)}: not in the source ({why}), learned from the shots alone; expect less of them."
        )
    if source_only:
        texts.append(f"{', '.join(source_only)}: not in the shots; training on the shots alone would forget them.")
    return [Finding("warning", "source, shots", text) for text in texts]
