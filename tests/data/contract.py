"""What every dataset promises. A dataset's tests are a subclass: the tree, how to open it, what is in it."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from PIL import Image
from torch.utils.data import DataLoader

from pixda.data.cache import Cache
from pixda.data.check import check
from pixda.data.classes import IGNORE
from pixda.data.dataset import Sample, SegmentationDataset
from pixda.errors import UserError


class DatasetContract:
    frames: Sequence[tuple[str, str]]
    """Expected (name, city) of every frame, in order."""
    ids: Sequence[int]
    """The raw ids in every mask of the tree."""
    to_class: Mapping[int, int]
    """Raw id to class index in the class set that `open` takes; all others are ignored."""
    example: str
    """Part of the layout that an error shows."""

    def build(self, root: Path) -> Path:
        raise NotImplementedError

    def open(self, root: Path, size: tuple[int, int] | None = None) -> SegmentationDataset:
        raise NotImplementedError

    def write(self, path: Path, ids: np.ndarray) -> None:
        trees.write_grey(path, ids)

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return self.build(tmp_path / "Straßen und Wege")

    def test_frames_are_found_and_sorted(self, root: Path) -> None:
        dataset = self.open(root)
        assert [(frame.name, frame.city) for frame in dataset.frames] == list(self.frames)
        assert len(dataset) == len(self.frames)
        for frame in dataset.frames:
            assert frame.image.is_file()
            assert frame.mask is not None
            assert frame.mask.is_file()

    def test_sample_holds_rgb_and_class_indices(self, root: Path) -> None:
        dataset = self.open(root)
        sample = dataset[0]
        assert (sample.name, sample.city) == self.frames[0]
        assert sample.image.dtype == sample.mask.dtype == torch.uint8
        with Image.open(dataset.frames[0].image) as image:
            assert np.array_equal(sample.image.permute(1, 2, 0).numpy(), np.asarray(image))
        raw = trees.stripes(self.ids)
        expected = np.full_like(raw, IGNORE)
        for raw_id, index in self.to_class.items():
            expected[raw == raw_id] = index
        assert np.array_equal(sample.mask.numpy(), expected)

    def test_size_is_width_and_height(self, root: Path) -> None:
        sample = self.open(root, size=(24, 18))[0]
        assert sample.image.shape == (3, 18, 24)
        assert sample.mask.shape == (18, 24)
        assert set(sample.mask.unique().tolist()) <= {*self.to_class.values(), IGNORE}

    def test_batches_through_a_loader(self, root: Path) -> None:
        batch = next(iter(DataLoader(self.open(root), batch_size=2)))
        assert isinstance(batch, Sample)
        assert batch.image.shape == (2, 3, trees.SIZE[1], trees.SIZE[0])
        assert list(batch.name) == [name for name, _ in self.frames[:2]]

    def test_cached_samples_are_those_of_the_files(self, root: Path, tmp_path: Path) -> None:
        plain, cached = self.open(root, size=(24, 18)), self.open(root, size=(24, 18))
        cache = Cache(tmp_path / "cache", cached)
        check(cached, progress=False, samples=cache).raise_if_bad()
        cached.stored = cache.stored()
        for one, two in zip(plain, pickle.loads(pickle.dumps(cached)), strict=True):
            assert torch.equal(one.image, two.image)
            assert torch.equal(one.mask, two.mask)
            assert one[2:] == two[2:]

    def test_subset_keeps_order_and_repeats(self, root: Path) -> None:
        dataset = self.open(root)
        first, second = self.frames[0][0], self.frames[1][0]
        assert [frame.name for frame in dataset.subset([second, first, second]).frames] == [
            second,
            first,
            second,
        ]
        assert len(dataset) == len(self.frames)
        with pytest.raises(UserError, match=r"no frame 'nowhere'.*look like"):
            dataset.subset([first, "nowhere"])

    @pytest.mark.parametrize(("kind", "missing"), [("image", "mask"), ("mask", "image")])
    def test_missing_partner_is_named(self, root: Path, kind: str, missing: str) -> None:
        frame = self.open(root).frames[0]
        assert frame.mask is not None
        kept, gone = (frame.image, frame.mask) if missing == "mask" else (frame.mask, frame.image)
        gone.unlink()
        with pytest.raises(UserError, match=f"1 of .* {kind}s have no {missing}") as error:
            self.open(root)
        assert str(kept) in str(error.value)

    @pytest.mark.parametrize("broken", ["image", "mask"])
    @pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
    def test_truncated_file_is_named(self, root: Path, broken: str, share: float) -> None:
        dataset = self.open(root)
        path = getattr(dataset.frames[0], broken)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(UserError, match="cannot be decoded") as error:
            dataset[0]
        assert str(path) in str(error.value)

    def test_unequal_sizes_are_named(self, root: Path) -> None:
        dataset = self.open(root)
        mask = dataset.frames[0].mask
        assert mask is not None
        self.write(mask, trees.stripes(self.ids, (trees.SIZE[1], trees.SIZE[0])))
        with pytest.raises(UserError, match=r"differ in size: .* is 72 x 36, .* is 36 x 72") as error:
            dataset[0]
        assert str(mask) in str(error.value)

    def test_unknown_id_is_named(self, root: Path) -> None:
        dataset = self.open(root)
        mask = dataset.frames[1].mask
        assert mask is not None
        self.write(mask, trees.stripes((*self.ids, 201)))
        with pytest.raises(UserError, match=f"label id 201.*{dataset.scheme}") as error:
            dataset[1]
        assert str(mask) in str(error.value)

    def test_empty_root_shows_the_layout(self, tmp_path: Path) -> None:
        (tmp_path / "something else").mkdir()
        with pytest.raises(UserError, match="found there: something else") as error:
            self.open(tmp_path)
        assert self.example in str(error.value)
        with pytest.raises(UserError, match="does not exist"):
            self.open(tmp_path / "nowhere")

    def test_check_is_content(self, root: Path) -> None:
        report = check(self.open(root), progress=False)
        report.raise_if_bad()
        total = len(self.frames) * trees.SIZE[0] * trees.SIZE[1]
        assert sum(report.pixels) + report.ignored == total
        present = {index for index, count in enumerate(report.pixels) if count}
        assert present == set(self.to_class.values())
