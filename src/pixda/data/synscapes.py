"""Synscapes (Wrenninge and Unger, 2018): 25 000 rendered frames with Cityscapes ids."""

from pixda.data.dataset import SegmentationDataset
from pixda.data.frames import Frame


class Synscapes(SegmentationDataset):
    """`img/rgb/1.png` beside `img/class/1.png`, 1440 x 720; no splits and no cities ("all"). Frames are named "1".

    The pictures of 2048 x 1024 in `img/rgb-2k` are not read: their masks are of the other size.
    """

    scheme = "cityscapes"
    splits = ("train",)
    layout = "img/rgb/1.png with img/class/1.png"

    def find(self) -> list[Frame]:
        """Return all frames."""
        images = self.search.files(self.root / "img/rgb", (".png",))
        masks = self.search.files(self.root / "img/class", (".png",))
        return [Frame(name, "all", image, mask) for name, image, mask in self.paired(images, masks)]
