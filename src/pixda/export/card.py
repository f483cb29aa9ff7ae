"""The model card: what a file is, how it was made, how it scores, and how it agrees with PyTorch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixda.comparison.markup import markdown_table, markdown_text
from pixda.data.classes import ClassSet
from pixda.data.shots import read_manifest
from pixda.errors import UserError
from pixda.export.parity import TOLERANCE, Agreement
from pixda.metrics import Scores, percent
from pixda.models.segmenter import Segmenter
from pixda.models.views import SeveralViews
from pixda.reading import read_json


def card(
    file: Path,
    title: str,
    confidence: bool,
    segmenter: Segmenter,
    made: Mapping[str, Any],
    run: Path,
    found: list[Agreement],
) -> str:
    """The card as Markdown.

    Args:
        file, title: the exported file, and its format in words.
        confidence: whether the confidence is an output.
        segmenter: what was exported: its classes, and the views that it averages if there are several.
        made, run: the account of its making, and the run's folder, for its scores and its list of shots.
        found: the comparison with PyTorch.
    """
    width, height = made["config"]["size"]
    parts = [
        f"# {markdown_text(file.name)}",
        f"A semantic segmentation model, made by PixDA {markdown_text(made['version'])}. Format: {title}.",
        "## In and out",
        markdown_table(
            ("", ""),
            [
                ("in: `image`", "uint8 `B x 3 x H x W`, RGB, 0..255; any batch, height and width"),
                ("out: `classes`", "uint8 `B x H x W`, class indices, at the size of the image"),
                *([("out: `confidence`", "float32 `B x H x W`, 0..1, softmax of that class")] if confidence else []),
            ],
            2,
        ),
        f"Normalisation and upsampling are inside. The network was trained at {width} x {height} (width x height): "
        "bring images to that size for the scores below.",
        *([_views(segmenter)] if isinstance(segmenter, SeveralViews) else []),
        *how_it_was_made(made, run),
        "## Agreement with PyTorch",
        f"Share of pixels with another class, two frames in a batch; more than {100 * TOLERANCE:g} % would have "
        "stopped the export.",
        _table(
            ("", ""),
            [
                (f"{one.size[0]} x {one.size[1]}", f"{100 * one.differing:.4f} % of {one.frames} frames")
                for one in found
            ],
        ),
        *what_it_knows(segmenter.classes),
    ]
    return "\n\n".join(parts) + "\n"


def _views(segmenter: SeveralViews) -> str:
    scales = ", ".join(f"{scale:g}" for scale in segmenter.scales)
    mirrored = ", each with its mirror image" if segmenter.flips else ""
    return (
        f"Test-time augmentation is inside: the file looks at an image at the scales {scales}{mirrored}, and averages "
        "the softmax maps. PyTorch was compared in the same way. The scores below are those of one view."
    )


def how_it_was_made(made: Mapping[str, Any], run: Path | None) -> list[str]:
    """Paragraphs on the making of a model and its scores; `run` is the run's folder, or None if it is not at hand."""
    scores = "The run has not been scored." if run is None else _scores(run)
    return ["## How it was made", _table(("", ""), _making(made, run)), "## Scores", scores]


def what_it_knows(classes: ClassSet) -> list[str]:
    """Paragraphs on the classes of a model and on its limits."""
    rows = [
        (index, name, ", ".join(map(str, colour)))
        for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True))
    ]
    return [
        "## Classes",
        _table(("index", "class", "colour (RGB)"), rows),
        "## Limits",
        "The scores hold for frames like the scored ones; on other cameras, cities and weather the model is untested. "
        "The licences of the data and of the first weights may restrict its use.",
    ]


def _making(made: Mapping[str, Any], run: Path | None) -> list[tuple[str, str]]:
    config, target = made["config"], made["config"]["target"]
    shots = f"{target['shots']} of each city ({target['shot_list']})"
    listed = None if run is None else run / "shots.json"
    if listed is not None and listed.is_file():
        manifest = read_manifest(listed)
        shots += f": {len(manifest.names)} frames, list {manifest.sha256[:12]}"
    departures = ", ".join(f"{name} = {value}" for name, value in made["departures"].items())
    return [
        ("method", f"{made['method']}, preset {made['preset']}"),
        ("departures from the preset", departures or "none"),
        ("first weights", made["first_weights"]),
        ("source", f"{config['source']['dataset']}, split {config['source']['split']}"),
        ("target", f"{target['dataset']}, split {target['split']}"),
        ("labelled target frames", shots),
        ("steps", ", ".join(f"{name} {steps}" for name, steps in made["steps"].items())),
        ("seed", str(config["seed"])),
        ("network", config["network"]["architecture"]),
        ("machine", ", ".join(f"{name} {value}" for name, value in made["machine"].items())),
    ]


def _scores(run: Path) -> str:
    file = run / "scores.json"
    if not file.is_file():
        return "The run has not been scored."
    scores, record = Scores.load(file), read_json(file, "The file of scores")
    try:
        (width, height), split, frames = record["network_size"], record["split"], record["frames"]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{file} does not say what was scored: score the model again with pixda evaluate.") from error
    protocol = (
        f"Split {markdown_text(f'{split}, {frames}')} frames; network at {width} x {height}, logits upsampled to the "
        "size of the ground truth, one scale, no flip, one confusion matrix; the last weights, nothing chosen on this "
        "split."
    )
    numbers = {**{f"mean of {protocol}": value for protocol, value in scores.mean.items()}, **scores.iou}
    heads = ["IoU, %", *map(markdown_text, numbers)]
    row = [markdown_text(run.resolve().name), *map(percent, numbers.values())]
    return f"{protocol}\n\n{markdown_table(heads, [row], 1)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table whose cells are escaped, since a model's maker may have put markup into them."""
    return markdown_table(heads, [[markdown_text(str(cell)) for cell in row] for row in rows], len(heads))
