"""The model card: what a file is, how it was made, what it scores, and where it was compared."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixda.data.classes import ClassSet
from pixda.export.parity import TOLERANCE, Agreement
from pixda.metrics import Scores
from pixda.report import markdown_table


def card(
    file: Path,
    title: str,
    confidence: bool,
    classes: ClassSet,
    made: Mapping[str, Any],
    run: Path,
    found: list[Agreement],
) -> str:
    """The card as Markdown.

    Args:
        file: the exported file.
        title: its format, in words.
        confidence: whether the confidence is an output.
        classes: of the model.
        made: the account of its making.
        run: the run's folder, for its scores and its list of shots.
        found: the comparison with PyTorch.
    """
    width, height = made["config"]["size"]
    parts = [
        f"# {file.name}",
        f"A semantic segmentation model, made by PixDA {made['version']}. Format: {title}.",
        "## In and out",
        _rows(
            [
                ("in: `image`", "uint8 `B x 3 x H x W`, RGB, 0..255; any batch, height and width"),
                ("out: `classes`", "uint8 `B x H x W`, class indices, at the size of the image"),
                *([("out: `confidence`", "float32 `B x H x W`, 0..1, softmax of that class")] if confidence else []),
            ]
        ),
        f"Normalisation and upsampling are inside. The network was trained at {width} x {height} (width x height): "
        "bring images to that size for the scores below.",
        "## How it was made",
        _rows(_making(made, run)),
        "## Scores",
        _scores(run),
        "## Agreement with PyTorch",
        f"Share of pixels with another class, two frames in a batch; more than {100 * TOLERANCE:g} % would have "
        "stopped the export.",
        _rows(
            [(f"{one.size[0]} x {one.size[1]}", f"{100 * one.differing:.4f} % of {one.frames} frames") for one in found]
        ),
        "## Classes",
        _table(
            ("index", "class", "colour (RGB)"),
            [
                (index, name, ", ".join(map(str, colour)))
                for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True))
            ],
        ),
        "## Limits",
        "The scores hold for frames like the scored ones; on other cameras, cities and weather the model is untested. "
        "The licences of the data and of the first weights may restrict its use.",
    ]
    return "\n\n".join(parts) + "\n"


def _making(made: Mapping[str, Any], run: Path) -> list[tuple[str, str]]:
    config, target = made["config"], made["config"]["target"]
    shots = f"{target['shots']} of each city ({target['shot_list']})"
    listed = run / "shots.json"
    if listed.is_file():
        manifest = json.loads(listed.read_text(encoding="utf-8"))
        shots += f": {len(manifest['names'])} frames, list {manifest['sha256'][:12]}"
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
    record = json.loads(file.read_text(encoding="utf-8"))
    width, height = record["network_size"]
    protocol = (
        f"Split {record['split']}, {record['frames']} frames; network at {width} x {height}, logits upsampled to the "
        "size of the ground truth, one scale, no flip, one confusion matrix; the last weights, nothing chosen on this "
        "split."
    )
    return f"{protocol}\n\n{markdown_table({run.resolve().name: Scores.load(file)})}".rstrip()


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    return _table(("", ""), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
