"""A user's own pictures: a folder of images, and one of masks with equal file names."""

from collections.abc import Mapping
from pathlib import Path

from pixda.data.classes import ClassSet
from pixda.data.dataset import SegmentationDataset, city_of
from pixda.data.files import IMAGE_SUFFIXES, MASK_SUFFIXES
from pixda.data.frames import Frame

MASK_ENDINGS = ("_mask", "_L", "_label", "_labels", "_labelIds", "_gt", "_seg", ".jpg", ".jpeg", ".png")
"""What tools put behind an image's name to call its mask: a_mask.png, a_L.png (CamVid), a.jpg.png (Supervisely)."""


class Folder(SegmentationDataset):
    """`images/` and `masks/` (or `labels/`), split folders inside, and city folders inside these.

    Split and city folders are optional: split "all" takes what lies in `images/` itself, and without city
    folders the city is "all"; folders may lie in folders. Images are of any kind in `IMAGE_SUFFIXES`, masks of any in
    `MASK_SUFFIXES`: of label ids, or of colours if the label scheme lists colours. A mask is called as its image, or
    with one of `MASK_ENDINGS` behind its name. With `labelled=False` only the images are read, and there need be no
    masks.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        classes: ClassSet,
        size: tuple[int, int] | None = None,
        *,
        scheme: str,
        labelled: bool = True,
        strict: bool = True,
    ) -> None:
        self.scheme = scheme
        self.labelled = labelled
        inside = "" if split == "all" else "{split}/"
        self.layout = f"images/{inside}[<city>/]<frame>.jpg (or .png, .webp)"
        if labelled:
            self.layout += f" with masks/{inside}[<city>/]<frame>.png (or .tif, .bmp)"
        if split != "all":
            self.layout += " (split 'all' needs no split folder)"
        super().__init__(root, split, classes, size, strict=strict)

    def find(self) -> list[Frame]:
        """Return the frames of the split, of all cities."""
        inside = "" if self.split == "all" else self.split
        images = self.search.files_by_city(self.root / "images" / inside, IMAGE_SUFFIXES)
        if not self.labelled:
            return [Frame(name, city_of(name), image, None) for name, image in images.items()]
        kind = "masks" if (self.root / "masks").is_dir() else "labels"
        masks: dict[str, Path] = {}
        for name, path in self.search.files_by_city(self.root / kind / inside, MASK_SUFFIXES).items():
            image = _image_of(name, images)
            if image in masks:
                self.search.found_twice(masks[image], path)
            else:
                masks[image] = path
        return self.paired(images, masks)


def _image_of(name: str, images: Mapping[str, Path]) -> str:
    """The image that a mask of this name belongs to: its own name, less an ending that masks often have."""
    if name in images:
        return name
    stems = (name.removesuffix(ending) for ending in MASK_ENDINGS if name.endswith(ending))
    return next((stem for stem in stems if stem in images), name)
