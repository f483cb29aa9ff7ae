"""SYNTHIA-RAND-CITYSCAPES (Ros et al., CVPR 2016): 9 400 rendered frames of a virtual city."""

from pathlib import Path

import numpy as np

from pixda.data.dataset import SegmentationDataset
from pixda.data.files import read_channels
from pixda.data.frames import Frame
from pixda.errors import UserError


class Synthia(SegmentationDataset):
    """The folder that holds RGB and GT. Frames are named "0000000"; there are no cities ("all").

    Masks are the 16-bit PNGs of GT/LABELS as distributed: the class in the red channel, the instance in the
    green. Other files, such as 8-bit copies "mapped to Cityscapes", are refused: several kinds of these are
    about, and their ids cannot be told apart.
    """

    scheme = "synthia"
    splits = ("train",)
    layout = "RGB/0000000.png with GT/LABELS/0000000.png"

    def find(self) -> list[Frame]:
        """Return all frames."""
        pairs = self.paired(
            self.search.files(self.root / "RGB", (".png",)), self.search.files(self.root / "GT" / "LABELS", (".png",))
        )
        return [Frame(name, "all", image, mask) for name, image, mask in pairs]

    def read_mask(self, path: Path) -> np.ndarray:
        """Return the class channel as uint8 (H x W)."""
        pixels = read_channels(path)
        if pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise UserError(
                f"The mask {path} is no original SYNTHIA label (16-bit PNG with three channels); take "
                "GT/LABELS as distributed, or read 8-bit ids as a 'folder' dataset with their label scheme."
            )
        classes = pixels[:, :, 0]
        if classes.max() > 255:
            raise UserError(f"The mask {path} holds the class id {classes.max()}; SYNTHIA's are 0..22.")
        return classes.astype(np.uint8)
