"""IDDA (Alberti et al., RA-L 2020): rendered drives through seven towns, in three weathers, from five vehicles."""

from pathlib import Path

import numpy as np

from pixda.data.dataset import SegmentationDataset
from pixda.data.files import IMAGE_SUFFIXES, read_channels
from pixda.data.frames import Frame
from pixda.errors import UserError


class IDDA(SegmentationDataset):
    """A folder for each scenario (town, weather and vehicle; 105 in all), each with RGB/ and Semantic/.

    A frame is named "<scenario>/<stem>", and its scenario stands for its city. Split "all" is every scenario that
    is there; the name of one folder is that scenario alone, so that several can be several sources of one run.
    Masks hold the class in the red channel, as distributed; the others are not read.
    """

    scheme = "idda"
    layout = "<scenario>/RGB/<frame>.jpg with <scenario>/Semantic/<frame>.png (split: all, or one scenario's folder)"

    def find(self) -> list[Frame]:
        """Return the frames of all scenarios, or of one."""
        scenarios = scenarios_in(self.root) if self.split == "all" else [self.root / self.split]
        images: dict[str, Path] = {}
        masks: dict[str, Path] = {}
        for folder in scenarios:
            for found, kind, suffixes in ((images, "RGB", IMAGE_SUFFIXES), (masks, "Semantic", (".png",))):
                inside = self.search.files(folder / kind, suffixes)
                found |= {f"{folder.name}/{stem}": path for stem, path in inside.items()}
        return [Frame(name, name.partition("/")[0], image, mask) for name, image, mask in self.paired(images, masks)]

    def read_mask(self, path: Path) -> np.ndarray:
        """Return the red channel as uint8 (H x W)."""
        pixels = read_channels(path)
        if pixels.ndim != 3 or pixels.shape[2] < 3:
            raise UserError(
                f"The mask {path} is no original IDDA label (RGB or RGBA PNG, the class in red); take Semantic/ as "
                "distributed, or read grey ids as a 'folder' dataset with the label scheme 'idda'."
            )
        classes = pixels[:, :, 0]
        if classes.max() > 255:
            raise UserError(f"The mask {path} holds the class id {classes.max()}; IDDA's are 0..23.")
        return classes.astype(np.uint8)


def scenarios_in(root: Path) -> list[Path]:
    """Return the scenario folders of an IDDA tree, sorted; none where it is not one."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [folder for folder in folders if (folder / "RGB").is_dir() and (folder / "Semantic").is_dir()]
