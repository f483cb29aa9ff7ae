"""The public datasets: where the files of each lie, which splits it has, and how its masks are stored."""

from pathlib import Path

import numpy as np

from pixda.data.dataset import SegmentationDataset
from pixda.data.files import IMAGE_SUFFIXES, read_channels
from pixda.data.frames import Frame
from pixda.data.shots import gta5_training_names
from pixda.errors import UserError

PNG = (".png",)


class Cityscapes(SegmentationDataset):
    """Cityscapes (Cordts et al., CVPR 2016): street scenes of 50 European cities, in the official tree.

    Masks are the `labelIds` files of the fine annotations, as distributed; no converted copy is needed. A frame is
    named "<city>/<stem>", as in the published few-shot lists: "ulm/ulm_000077_000019".
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
        masks = self.search.files_by_city(labels, PNG, "_gtFine_labelIds")
        if not masks and any(labels.rglob("*_gtFine_*")):
            kinds = {path.stem.rpartition("_")[2] + path.suffix for path in labels.rglob("*_gtFine_*")}
            raise UserError(
                f"{labels} holds {', '.join(sorted(kinds))} and no labelIds.png, which are read: they are in "
                "gtFine_trainvaltest.zip, or cityscapesscripts makes them from the polygons "
                "(cityscapesscripts.helpers.labels, preparation/json2labelImg.py)."
            )
        return self.paired(
            self.search.files_by_city(self.root / "leftImg8bit" / self.split, PNG, "_leftImg8bit"), masks
        )


class CamVid(SegmentationDataset):
    """CamVid (Brostow et al., 2008): drives through Cambridge, in the 11-class form of SegNet.

    Frames are named "<sequence>_<number>"; the sequence (one drive) stands for the city.
    """

    scheme = "camvid"
    splits = ("train", "val", "test")
    layout = "images/{split}/0001TP_006690.jpg with labels/{split}/0001TP_006690.png"

    def find(self) -> list[Frame]:
        """Return the frames of the split."""
        images = self.search.files(self.root / "images" / self.split, IMAGE_SUFFIXES)
        masks = self.search.files(self.root / "labels" / self.split, PNG)
        return [frame._replace(city=frame.name.partition("_")[0]) for frame in self.paired(images, masks)]


class GTA5(SegmentationDataset):
    """GTA5 (Richter et al., ECCV 2016): 24 966 frames of a computer game, its ten parts unpacked over one another.

    Split "train" is the published list of 22 061 frames, as far as they are there: one of the ten parts is enough to
    begin with. Split "all" is every frame there is. Frames are named "00001"; there are no cities ("all"). Masks are
    palette PNGs whose indices are Cityscapes ids, and 34 (licence plate).
    """

    scheme = "gta5"
    splits = ("train", "all")
    layout = "images/00001.png with labels/00001.png"

    def find(self) -> list[Frame]:
        """Return the frames of the split that are there."""
        images, masks = (self.search.files(self.root / kind, PNG) for kind in ("images", "labels"))
        if self.split == "train":
            listed = set(gta5_training_names())
            images, masks = ({name: found[name] for name in found.keys() & listed} for found in (images, masks))
        return self.paired(images, masks)


class Synthia(SegmentationDataset):
    """SYNTHIA-RAND-CITYSCAPES (Ros et al., CVPR 2016): 9 400 rendered frames of a virtual city.

    The root is the folder that holds RGB and GT. Frames are named "0000000"; there are no cities ("all"). Masks are
    the 16-bit PNGs of GT/LABELS as distributed: the class in the red channel, the instance in the green. Other files,
    such as 8-bit copies "mapped to Cityscapes", are refused: several kinds of these are in circulation, and their ids
    cannot be told apart.
    """

    scheme = "synthia"
    splits = ("train",)
    layout = "RGB/0000000.png with GT/LABELS/0000000.png"

    def find(self) -> list[Frame]:
        """Return all frames."""
        return self.paired(
            self.search.files(self.root / "RGB", PNG), self.search.files(self.root / "GT" / "LABELS", PNG)
        )

    def read_mask(self, path: Path) -> np.ndarray:
        """Return the class channel as uint8 (H x W)."""
        pixels = read_channels(path)
        if pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise UserError(
                f"The mask {path} is no original SYNTHIA label (16-bit PNG with three channels); take "
                "GT/LABELS as distributed, or read 8-bit ids as a 'folder' dataset with their label scheme."
            )
        return _red_channel(path, pixels, "SYNTHIA's are 0..22")


class IDDA(SegmentationDataset):
    """IDDA (Alberti et al., RA-L 2020): rendered drives through seven towns, in three weathers, from five vehicles.

    There is a folder for each scenario (town, weather and vehicle; 105 in all) with RGB/ and Semantic/ in it. A frame
    is named "<scenario>/<stem>", and its scenario stands for its city. Split "all" is every scenario that is there;
    the name of one folder is that scenario alone, so that several can be several sources of one run. Masks hold the
    class in the red channel, as distributed; the others are not read.
    """

    scheme = "idda"
    layout = "<scenario>/RGB/<frame>.jpg with <scenario>/Semantic/<frame>.png (split: all, or one scenario's folder)"

    def find(self) -> list[Frame]:
        """Return the frames of all scenarios, or of one."""
        images: dict[str, Path] = {}
        masks: dict[str, Path] = {}
        for folder in idda_scenarios(self.root) if self.split == "all" else [self.root / self.split]:
            for found, kind, suffixes in ((images, "RGB", IMAGE_SUFFIXES), (masks, "Semantic", PNG)):
                inside = self.search.files(folder / kind, suffixes)
                found |= {f"{folder.name}/{stem}": path for stem, path in inside.items()}
        return self.paired(images, masks)

    def read_mask(self, path: Path) -> np.ndarray:
        """Return the red channel as uint8 (H x W)."""
        pixels = read_channels(path)
        if pixels.ndim != 3 or pixels.shape[2] < 3:
            raise UserError(
                f"The mask {path} is no original IDDA label (RGB or RGBA PNG, the class in red); take Semantic/ as "
                "distributed, or read grey ids as a 'folder' dataset with the label scheme 'idda'."
            )
        return _red_channel(path, pixels, "IDDA's are 0..23")


def idda_scenarios(root: Path) -> list[Path]:
    """Return the scenario folders of an IDDA tree, sorted; none where it is not one."""
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [folder for folder in folders if (folder / "RGB").is_dir() and (folder / "Semantic").is_dir()]


class UrbanSyn(SegmentationDataset):
    """UrbanSyn (Gómez et al., 2023): 7 539 rendered frames, labelled with the training ids of Cityscapes.

    There are no splits and no cities ("all"). Frames are named "0001".
    """

    scheme = "urbansyn"
    splits = ("train",)
    layout = "rgb/rgb_0001.png with ss/ss_0001.png"

    def find(self) -> list[Frame]:
        """Return all frames."""
        images, masks = (
            {name.removeprefix(f"{kind}_"): path for name, path in self.search.files(self.root / kind, PNG).items()}
            for kind in ("rgb", "ss")
        )
        return self.paired(images, masks)


class Synscapes(SegmentationDataset):
    """Synscapes (Wrenninge and Unger, 2018): 25 000 rendered frames of 1440 x 720 with Cityscapes ids.

    There are no splits and no cities ("all"). Frames are named "1". The pictures of 2048 x 1024 in `img/rgb-2k` are
    not read: their masks are of the other size.
    """

    scheme = "cityscapes"
    splits = ("train",)
    layout = "img/rgb/1.png with img/class/1.png"

    def find(self) -> list[Frame]:
        """Return all frames."""
        return self.paired(
            self.search.files(self.root / "img/rgb", PNG), self.search.files(self.root / "img/class", PNG)
        )


def _red_channel(path: Path, pixels: np.ndarray, range_of_ids: str) -> np.ndarray:
    """Return the red channel of a mask (H x W x 3 or more) as uint8. Raises UserError for an id above 255."""
    classes = pixels[:, :, 0]
    if classes.max() > 255:
        raise UserError(f"The mask {path} holds the class id {classes.max()}; {range_of_ids}.")
    return classes.astype(np.uint8)
