"""From what a config says to datasets that are ready to be read."""

from dataclasses import replace
from pathlib import Path

from pixda.data.classes import ClassSet
from pixda.data.config import Data, Target
from pixda.data.dataset import SegmentationDataset
from pixda.data.folder import Folder
from pixda.data.public_datasets import GTA5, IDDA, CamVid, Cityscapes, Synscapes, Synthia, UrbanSyn
from pixda.data.shots import draw, draw_total, published, read_manifest
from pixda.errors import UserError

Size = tuple[int, int] | None


DATASETS: dict[str, type[SegmentationDataset]] = {
    "cityscapes": Cityscapes,
    "gta5": GTA5,
    "synthia": Synthia,
    "idda": IDDA,
    "urbansyn": UrbanSyn,
    "synscapes": Synscapes,
    "camvid": CamVid,
}
"""The public ones; beside them there are folders and the street world."""


def open_dataset(data: Data, classes: ClassSet, size: Size = None, strict: bool = True) -> SegmentationDataset:
    """The dataset that a config names, its frames found (and rendered, for the street world).

    Args:
        data: dataset, root, split.
        classes: class set of the masks.
        size: (width, height) of every sample; None leaves each as it is stored.
        strict: whether a file without its partner is an error, or is left out and told in ``problems``.
    """
    if data.dataset == "streets":
        from pixda.data.streets import Streets  # the renderer is imported only where streets are wanted

        world = data.streets
        return Streets(data.root, data.split, classes, size, world.count, world.seed, world.gap, world.size)
    if data.dataset == "folder":
        if data.scheme is None:
            raise UserError(
                f"The folder {data.root} needs a label scheme: set 'scheme' to the column of class set "
                f"'{classes.name}' that its masks follow ({', '.join(classes.schemes)})."
            )
        return Folder(data.root, data.split, classes, size, scheme=data.scheme, strict=strict)
    return DATASETS[data.dataset](data.root, data.split, classes, size, strict=strict)


def open_shots(
    target: Target, classes: ClassSet, size: Size, seed: int, strict: bool = True, labelled: bool = True
) -> SegmentationDataset:
    """The few labelled target frames: drawn with ``seed``, of the published list, or of a manifest.

    With ``labelled=False`` they are the same frames without their masks, which need not be there. Raises UserError
    for suggested ones: a model chooses them, in training.
    """
    if target.shot_list == "suggested":
        raise UserError(
            "target.shot_list is suggested: these frames are chosen by a model when the training starts. Give a list "
            "of frames instead, such as the shots.json of a run that was trained so."
        )
    frames = open_dataset(target, classes, size, strict) if labelled else open_unlabelled(target, classes, size)
    if isinstance(target.shot_list, Path):
        return frames.subset(read_manifest(target.shot_list).names)
    if target.shots == "all":
        return frames
    if target.shot_list == "published":
        return frames.subset(published(target.shots))
    drawn = draw_total if target.shots_in_total else draw
    return frames.subset(drawn(frames.frames, target.shots, seed))


def open_unlabelled(data: Data, classes: ClassSet, size: Size) -> SegmentationDataset:
    """Target images without labels: a folder needs no masks, the masks of any other dataset are not read."""
    if data.dataset == "folder":
        # The lookup table of any scheme will do: there is no mask to look up.
        scheme = data.scheme or classes.schemes[0]
        return Folder(data.root, data.split, classes, size, scheme=scheme, labelled=False)
    return open_dataset(data, classes, size).without_masks()


def open_test(target: Target, classes: ClassSet, strict: bool = True) -> SegmentationDataset:
    """The frames to score on, at their stored size; the target must name their split."""
    if target.test_split is None:
        raise UserError("target.test_split is null: there are no frames to score on.")
    return open_dataset(replace(target, split=target.test_split), classes, strict=strict)
