"""Pictures of what networks do: rows of image, truth and predictions; what a selection kept; style transfer."""

import csv
from collections.abc import Mapping
from pathlib import Path

from lightning_fabric import Fabric

from pixda.data.dataset import SegmentationDataset
from pixda.evaluation import predict
from pixda.metrics import ConfusionMatrix
from pixda.models.segmenter import Segmenter
from pixda.sheet import colourise, picture, sheet
from pixda.style import stylise


def qualitative_rows(
    path: Path, dataset: SegmentationDataset, networks: Mapping[str, Segmenter], size: tuple[int, int], fabric: Fabric
) -> None:
    """Image, truth and each network's prediction, for frames chosen by rule.

    The frames are those where the last network does best, middling and worst, and where it differs most from
    the first.

    Args:
        path: picture file to write.
        dataset: labelled frames at their stored size.
        networks: name -> segmenter, in the order of the columns.
        size: (width, height) that the networks work at.
        fabric: device and precision.
    """
    names = list(networks)
    quality: list[float] = []
    change: list[float] = []
    for network in networks.values():
        network.eval()
    for index in range(len(dataset)):
        sample = dataset[index]
        first, last = (predict(networks[n], sample.image, size, fabric) for n in (names[0], names[-1]))
        matrix = ConfusionMatrix(dataset.classes, fabric.device)
        matrix.update(last, sample.mask.to(fabric.device))
        quality.append(matrix.scores().miou)
        change.append(float((first != last).float().mean()))
    ranked = sorted(range(len(dataset)), key=lambda i: quality[i])
    chosen = {"best": ranked[-1], "median": ranked[len(ranked) // 2], "worst": ranked[0]}
    others = set(ranked) - set(chosen.values())
    if others:
        chosen["largest\ndifference"] = max(others, key=lambda i: change[i])
    rows = []
    for index in chosen.values():
        sample = dataset[index]
        seen = [colourise(predict(n, sample.image, size, fabric), dataset.classes) for n in networks.values()]
        rows.append([picture(sample.image), colourise(sample.mask, dataset.classes), *seen])
    sides = [
        f"{rule}\n{dataset.frames[index].name[-16:]}\n{100 * quality[index]:.1f}" for rule, index in chosen.items()
    ]
    sheet(rows, ["image", "truth", *names], sides).save(path)


def kept_and_dropped(path: Path, selection: Path, source: SegmentationDataset) -> None:
    """The four source images with the highest and the four with the lowest scores of one selection.

    Args:
        path: picture file to write.
        selection: ``selection_<epoch>.csv`` of a run.
        source: the run's source.
    """
    with selection.open(newline="") as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: float(row["score"]), reverse=True)
    columns = min(4, len(rows))
    places = {frame.name: index for index, frame in enumerate(source.frames)}
    lines_of = {"most like\nthe target": rows[:columns], "least like\nthe target": rows[-columns:]}
    pictures = [[picture(source[places[row["name"]]].image) for row in part] for part in lines_of.values()]
    sides = [
        f"{title}\n"
        + "\n".join(f"{float(row['score']):.2f} {'kept' if row['kept'] == '1' else 'dropped'}" for row in part)
        for title, part in lines_of.items()
    ]
    sheet(pictures, [""] * columns, sides).save(path)


def style_pairs(path: Path, source: SegmentationDataset, target: SegmentationDataset, beta: float) -> None:
    """Source images, target images, and the source in the target's style, four of each."""
    rows = []
    count = min(4, len(source.frames))
    for index in range(count):
        content = source[index * len(source.frames) // count].image[None].float()
        style = target[index % len(target.frames)].image[None].float()
        rows.append([picture(one[0]) for one in (content, style, stylise(content, style, beta))])
    heads = ["source", "target", f"source in the target's style, beta {beta:g}"]
    sheet(rows, heads, [""] * count).save(path)
