"""``report.html``: everything about some runs in one file that asks nobody for anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pixda.comparison.results import RARE_SHARE, rare_classes
from pixda.config import Machine
from pixda.errors import UserError
from pixda.machine.devices import make_fabric
from pixda.methods import METHODS
from pixda.report import sections
from pixda.report.baselines import neighbours, run_to_show
from pixda.report.data import Material, open_material
from pixda.report.figures import COLOURS
from pixda.report.frames import DIFFERENCE, ChosenFrames, choose_frames
from pixda.report.maps import pixel_maps
from pixda.report.runs import RunFolder, named, one_task
from pixda.report.study import Study, is_comparison, read_study, study_of
from pixda.report.words import PRESETS, commands, config_text, headline, protocol, small_classes, verdict
from pixda.watch.progress import Display

_TEMPLATES = Path(__file__).with_name("templates")
MOST_SHOWN = len(COLOURS)
"""Networks in the pictures; the tables hold all runs."""


def write_report(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Write ``report.html``, and its figures as PNG and PDF in ``figures/`` beside it.

    Args:
        folders: runs, of which the report is about the first, and folders of comparisons. A run alone is compared
            with its first stage and the controls beside it; a comparison alone is shown by one of its runs.
        out: where to; None is ``report`` in the first folder.

    Returns:
        The page.

    Raises:
        UserError: a folder is neither, or the runs cannot stand side by side.
    """
    studies = [read_study(folder) for folder in folders if is_comparison(folder)]
    given = [RunFolder.read(folder) for folder in folders if not is_comparison(folder)]
    if not given:
        given = [run_to_show(folders[0])]
    out = out or folders[0] / "report"
    one_task(given)
    try:
        (out / "figures").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The report cannot be written to {out}: {error.strerror}; choose another --out.") from error
    runs = named(given if len(given) > 1 else [*given, *neighbours(given[0])])
    material = open_material(given[0], given[0].folder.absolute().parent / ".checks")  # where training keeps it, too
    if len(given) > 1:
        studies.append(study_of(runs, material.shares, out / "tables"))
    page = out / "report.html"
    page.write_text(_page(runs, material, studies, folders, out), encoding="utf-8")
    return page


def _page(
    runs: Mapping[str, RunFolder], material: Material, studies: list[Study], folders: Sequence[Path], out: Path
) -> str:
    run, figures = next(iter(runs.values())), out / "figures"
    rare = rare_classes(material.shares) if material.shares else ()
    sources, shots = material.sources, material.shots
    means = {title: one.scores.miou for title, one in runs.items() if one.scores is not None}
    chosen = _chosen_frames(runs, material) if run.finished else None
    maps = None
    if run.finished and shots is not None:
        maps = pixel_maps(run, shots, _first_stage(run, runs), make_fabric(Machine()))
    if chosen is not None:
        sections.save_frames(chosen, figures)
    if maps is not None:
        sections.save_maps(maps, figures)
    content: dict[str, Any] = {
        "own": next(iter(runs)),
        "run": run,
        "runs": runs,
        "colours": COLOURS,
        "learns": METHODS[run.training.method].learns_from_shots,
        "about": " ".join((METHODS[run.training.method].__doc__ or "").split("\n\n")[0].split()),
        "headline": headline(runs, rare) if run.finished else [],
        "verdict": verdict(means, next(iter(runs))) if run.finished else "",
        "class_lines": sections.classes(_few(runs), rare, figures) if run.finished else [],
        "preset_note": PRESETS.get(run.training.preset, ""),
        "rare": rare,
        "rare_limit": f"{100 * RARE_SHARE:g} %",
        "shares_known": material.shares is not None,
        "examples": sections.examples(sources, shots),
        "style": sections.style(run, sources, shots, figures) if sources is not None and shots is not None else None,
        "maps": maps,
        "selection": sections.selection(run, sources, figures),
        "curves": sections.curves(run, figures),
        "chosen": chosen,
        "small": small_classes(run.scores, material.shares),
        "difference": {name: f"rgb{colour}" for name, colour in DIFFERENCE.items()},
        "confusion": sections.confusion(run, chosen.confusion if chosen else None, figures) if run.finished else None,
        "calibration": sections.calibration(runs, figures),
        "studies": studies,
        "tables_first": is_comparison(folders[0]),
        "protocol": protocol(run),
        "commands": commands(run, folders, out),
        "config": config_text(run),
        "missing": material.missing,
        "classes": [
            {"name": name, "colour": list(colour)}
            for name, colour in zip(run.classes.names, run.classes.colours, strict=True)
        ],
    }
    kept = sorted(path.stem for path in figures.glob("*.png"))
    return render(content | {"kept": kept})


def render(content: Mapping[str, Any]) -> str:
    """The page of what a report has to tell; every text in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    parts = {part: Markup((_TEMPLATES / f"report.{part}").read_text(encoding="utf-8")) for part in ("css", "js")}
    return environment.get_template("report.html").render(**content, **parts)


def _few(runs: Mapping[str, RunFolder]) -> dict[str, RunFolder]:
    return dict(list(runs.items())[:MOST_SHOWN])


def _chosen_frames(runs: Mapping[str, RunFolder], material: Material) -> ChosenFrames | None:
    """Frames of the scored split; of more runs than can be seen at once, the first ones."""
    if material.test is None:
        return None
    shown = _few(runs)
    own = next(iter(shown))
    fabric = make_fabric(Machine())
    networks = {title: (one.model().to(fabric.device), one.training.experiment.size) for title, one in shown.items()}
    others = {title: one.scores.miou for title, one in shown.items() if title != own and one.scores is not None}
    rival = max(others, key=lambda title: others[title]) if others else None
    small = small_classes(runs[own].scores, material.shares)
    with Display([], "report") as display:
        return choose_frames(
            material.test, networks, rival, small, fabric, lambda done, total: display.count("frames", done, total)
        )


def _first_stage(run: RunFolder, runs: Mapping[str, RunFolder]) -> RunFolder | None:
    """The finished run that this one started from."""
    first = run.training.experiment.start_from
    if first is None:
        return None
    known = [one for one in runs.values() if one.folder.absolute() == first.absolute()]
    if known:
        return known[0]
    return RunFolder.read(first) if (first / "config.yaml").is_file() and (first / "scores.json").is_file() else None
