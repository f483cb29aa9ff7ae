"""CamVid (Brostow et al., 2008): drives through Cambridge, in the 11-class form of SegNet."""

from pixda.data.dataset import SegmentationDataset
from pixda.data.files import IMAGE_SUFFIXES
from pixda.data.frames import Frame


class CamVid(SegmentationDataset):
    """Frames named "<sequence>_<number>"; the sequence (one drive) stands for the city."""

    scheme = "camvid"
    splits = ("train", "val", "test")
    layout = "images/{split}/0001TP_006690.jpg with labels/{split}/0001TP_006690.png"

    def find(self) -> list[Frame]:
        """Return the frames of the split."""
        pairs = self.paired(
            self.search.files(self.root / "images" / self.split, IMAGE_SUFFIXES),
            self.search.files(self.root / "labels" / self.split, (".png",)),
        )
        return [Frame(name, name.partition("_")[0], image, mask) for name, image, mask in pairs]
