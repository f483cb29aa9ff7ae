"""UrbanSyn (Gómez et al., 2023): 7 539 rendered frames, labelled with the training ids of Cityscapes."""

from pixda.data.dataset import SegmentationDataset
from pixda.data.frames import Frame


class UrbanSyn(SegmentationDataset):
    """`rgb/rgb_0001.png` beside `ss/ss_0001.png`; no splits and no cities ("all"). Frames are named "0001"."""

    scheme = "urbansyn"
    splits = ("train",)
    layout = "rgb/rgb_0001.png with ss/ss_0001.png"

    def find(self) -> list[Frame]:
        """Return all frames."""
        images = {
            name.removeprefix("rgb_"): path for name, path in self.search.files(self.root / "rgb", (".png",)).items()
        }
        masks = {
            name.removeprefix("ss_"): path for name, path in self.search.files(self.root / "ss", (".png",)).items()
        }
        return [Frame(name, "all", image, mask) for name, image, mask in self.paired(images, masks)]
