"""The street world as a dataset: frames are rendered once, on first use, and then read from disk."""

import json
from pathlib import Path

from pixda.data.classes import ClassSet
from pixda.data.dataset import SegmentationDataset
from pixda.data.frames import Frame
from pixda.data.streets_writer import RenderJob, write_file, write_frames
from pixda.errors import UserError
from streetworld.basics import VERSION, Domain, WorldOptions

# Split -> domain and its cities: (number in the world, name). No camera city is in two splits.
CITIES: dict[str, tuple[Domain, tuple[tuple[int, str], ...]]] = {
    "rendered": (
        "rendered",
        tuple(enumerate(("amber", "basalt", "coral", "delta", "ember", "flint", "garnet", "harbour"))),
    ),
    "camera-train": ("camera", ((0, "alder"), (1, "birch"), (2, "cedar"))),
    "camera-val": ("camera", ((3, "elder"), (4, "hazel"))),
    # As many cities as Cityscapes trains on: one shot of each is the paper's setting.
    "camera-18": (
        "camera",
        tuple(
            enumerate(
                (
                    *("acacia", "aspen", "beech", "cherry", "fir", "ginkgo", "holly", "juniper", "laurel"),
                    *("linden", "maple", "myrtle", "oak", "pine", "rowan", "spruce", "walnut", "willow"),
                ),
                start=5,
            )
        ),
    ),
}
SMALLEST = 32  # pixels a side


class Streets(SegmentationDataset):
    """Rendered street frames with Cityscapes label ids; split "rendered", "camera-train", "camera-18" or
    "camera-val".

    `count` frames of a world `seed` are made at `render_size` (width, height); a higher count only renders
    the new ones, a lower one takes the first. `gap` (0..1) moves the layout of the rendered split away from
    what the camera sees; the camera splits have none. Frames are named "<city>_<index>".
    """

    scheme = "cityscapes"
    splits = tuple(CITIES)
    layout = "{split}-seed<seed>-gap<gap>-<width>x<height>-v<version>/images/<city>_000000.jpg"

    def __init__(
        self,
        root: Path,
        split: str,
        classes: ClassSet,
        size: tuple[int, int] | None = None,
        count: int = 500,
        seed: int = 0,
        gap: float = 0.0,
        render_size: tuple[int, int] = (480, 360),
    ) -> None:
        if count < 1:
            raise UserError(f"Streets was asked for {count} frames; 'count' has to be 1 or more.")
        if seed < 0:
            raise UserError(f"Streets was given the seed {seed}; it has to be 0 or more.")
        if not 0 <= gap <= 1:
            raise UserError(f"Streets was given the layout gap {gap}; it has to lie between 0 and 1.")
        if min(render_size) < SMALLEST:
            raise UserError(f"Streets cannot render frames of {render_size}; {SMALLEST} pixels a side is least.")
        self.count = count
        self.options = WorldOptions(seed, float(gap) if split == "rendered" else 0.0, *render_size)
        super().__init__(root, split, classes, size)

    @property
    def folder(self) -> Path:
        """Where the frames of these options lie."""
        o = self.options
        return self.root / f"{self.split}-seed{o.seed}-gap{o.gap:g}-{o.width}x{o.height}-v{VERSION}"

    def find(self) -> list[Frame]:
        """Render what is missing and return the first `count` frames."""
        domain, cities = CITIES[self.split]
        frames, jobs = [], []
        for index in range(self.count):
            number, city = cities[index % len(cities)]
            name = f"{city}_{index:06d}"
            image, mask = self.folder / "images" / f"{name}.jpg", self.folder / "labels" / f"{name}.png"
            frames.append(Frame(name, city, image, mask))
            jobs.append(RenderJob(domain, index, self.options, number, image, mask))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (world := self.folder / "world.json").is_file():
                o = self.options
                facts = {"seed": o.seed, "gap": o.gap, "width": o.width, "height": o.height, "renderer": VERSION}
                write_file(world, (json.dumps(facts, indent=1) + "\n").encode())
            write_frames(jobs, f"Rendering street frames ({self.split})")
        except OSError as error:
            raise UserError(
                f"Streets cannot write its frames to {self.folder} ({error.strerror or error}); "
                "give a folder with room that you may write to."
            ) from error
        return frames
