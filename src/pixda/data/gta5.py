"""GTA5 (Richter et al., ECCV 2016): 24 966 frames of a computer game, with Cityscapes ids."""

from pixda.data.dataset import SegmentationDataset
from pixda.data.frames import Frame
from pixda.data.shots import gta5_training_names


class GTA5(SegmentationDataset):
    """The ten parts unpacked over one another. Frames are named "00001"; there are no cities ("all").

    Split "train" is the published list of 22 061 frames, as far as they are there: one of the ten parts is a
    dataset already, but an image without its label, or a label without its image, is an error. Split "all" is
    every frame there is. Masks are palette PNGs whose indices are Cityscapes ids, and 34 (licence plate).
    """

    scheme = "gta5"
    splits = ("train", "all")
    layout = "images/00001.png with labels/00001.png"

    def find(self) -> list[Frame]:
        """Return the frames of the split that are there."""
        images = self.search.files(self.root / "images", (".png",))
        masks = self.search.files(self.root / "labels", (".png",))
        if self.split == "train":
            listed = set(gta5_training_names())
            images = {name: path for name, path in images.items() if name in listed}
            masks = {name: path for name, path in masks.items() if name in listed}
        return [Frame(name, "all", image, mask) for name, image, mask in self.paired(images, masks)]
