"""Cityscapes (Cordts et al., CVPR 2016): street scenes of 50 European cities, fine annotations."""

from pixda.data.dataset import SegmentationDataset
from pixda.data.frames import Frame
from pixda.errors import UserError


class Cityscapes(SegmentationDataset):
    """The official tree; masks are the `labelIds` files as distributed, no converted copy is needed.

    A frame is named "<city>/<stem>", as in the published few-shot lists: "ulm/ulm_000077_000019".
    """

    scheme = "cityscapes"
    splits = ("train", "val", "test")
    layout = (
        "leftImg8bit/{split}/<city>/<city>_000000_000019_leftImg8bit.png with "
        "gtFine/{split}/<city>/<city>_000000_000019_gtFine_labelIds.png"
    )

    def find(self) -> list[Frame]:
        """Return the frames of all cities of the split."""
        labels = self.root / "gtFine" / self.split
        masks = self.search.files_by_city(labels, (".png",), "_gtFine_labelIds")
        if not masks and any(labels.rglob("*_gtFine_*")):
            kinds = {path.stem.rpartition("_")[2] + path.suffix for path in labels.rglob("*_gtFine_*")}
            raise UserError(
                f"{labels} holds {', '.join(sorted(kinds))} and no labelIds.png, which are read: they are in "
                "gtFine_trainvaltest.zip, or cityscapesscripts makes them from the polygons "
                "(cityscapesscripts.helpers.labels, preparation/json2labelImg.py)."
            )
        pairs = self.paired(
            self.search.files_by_city(self.root / "leftImg8bit" / self.split, (".png",), "_leftImg8bit"), masks
        )
        return [Frame(name, name.partition("/")[0], image, mask) for name, image, mask in pairs]
