import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trees

from pixda.data.check import Report, check
from pixda.data.classes import ClassSet
from pixda.data.folder import Folder
from pixda.data.public_datasets import CamVid
from pixda.data.shots import classes_in
from pixda.errors import UserError

NAMES = [f"0001TP_{number:06d}" for number in range(6)]


@pytest.fixture
def dataset(tmp_path: Path, camvid11: ClassSet) -> CamVid:
    return CamVid(trees.camvid(tmp_path / "camvid", {"train": NAMES}), "train", camvid11, (24, 18))


def mask(dataset: CamVid, index: int) -> Path:
    path = dataset.frames[index].mask
    assert path is not None
    return path


def test_counts_pixels_as_stored(dataset: CamVid) -> None:
    report = check(dataset, progress=False)
    each = 6 * trees.SIZE[0] * trees.SIZE[1] // 12  # twelve equal stripes in six frames: eleven classes, void
    assert (report.frames, report.names) == (6, dataset.classes.names)
    assert (report.pixels, report.ignored, report.unknown) == ((each,) * 11, each, 0)
    assert (report.problems, report.warnings) == ((), ())
    assert report.images == {"72 x 36, 8-bit RGB JPEG": 6}
    assert report.masks == {"72 x 36, 8-bit grey PNG": 6}
    assert report.codes == {str(raw): each for raw in range(12)}
    assert len(set(report.digests.values())) == 6
    assert report.ignored_share == pytest.approx(1 / 12)
    assert report.absent == []


def test_all_problems_in_the_order_of_frames(dataset: CamVid) -> None:
    dataset.frames[1].image.write_bytes(b"no picture")
    trees.write_grey(mask(dataset, 2), trees.stripes(range(12), (72, 35)))
    for index in (0, 3, 4, 5):
        trees.write_grey(mask(dataset, index), trees.stripes((3, 40)))
    trees.write_grey(mask(dataset, 5), trees.stripes((3, 40, 41)))
    report = check(dataset, progress=False, threads=4)
    broken, unequal, forty, forty_one = report.problems
    assert "0001TP_000001.jpg cannot be decoded" in broken
    assert "differ in size" in unequal
    assert "0001TP_000002.png is 72 x 35" in unequal
    pixels = 3 * 36 * 36 + 24 * 36
    assert "4 masks hold the label id 40" in forty
    assert f"({pixels} pixels, in " in forty
    assert f"{mask(dataset, 0)}, {mask(dataset, 3)}, {mask(dataset, 4)}, ...)" in forty
    assert "One mask holds the label id 41" in forty_one
    assert report.unknown == pixels + 24 * 36
    assert report.absent == [], "the mask of the broken image is counted"
    assert (report.codes["40"], report.codes["41"]) == (pixels, 24 * 36)
    with pytest.raises(UserError, match=r"0001TP_000001.jpg cannot be decoded .*\(3 more like this were found"):
        report.raise_if_bad()


def test_progress_is_shown_and_leaves_nothing(dataset: CamVid, capsys: pytest.CaptureFixture[str]) -> None:
    check(dataset, progress=True)
    assert capsys.readouterr().out.strip() == ""


def test_images_without_masks(tmp_path: Path, camvid11: ClassSet) -> None:
    trees.write_image(tmp_path / "images/a.png", 0)
    trees.write_image(tmp_path / "images/b.png", 1)
    dataset = Folder(tmp_path, "all", camvid11, scheme="camvid", labelled=False)
    report = check(dataset, progress=False)
    assert report.frames == 2
    assert sum(report.pixels) == report.ignored_share == 0
    (tmp_path / "images/b.png").write_bytes(b"no picture")
    assert len(check(dataset, progress=False).problems) == 1


class TestCache:
    @pytest.fixture
    def cache(self, tmp_path: Path) -> Path:
        return tmp_path / "deep" / "cache"

    @pytest.fixture
    def kept(self, dataset: CamVid, cache: Path) -> Report:
        return check(dataset, cache, progress=False)

    def change(self, dataset: CamVid) -> None:
        """Put another id into one mask, without a trace in size and time of change."""
        path = mask(dataset, 0)
        before = path.stat()
        trees.write_grey(path, np.zeros((trees.SIZE[1], trees.SIZE[0]), np.uint8))
        path.write_bytes(path.read_bytes().ljust(before.st_size, b"\0"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def test_spares_the_decoding(self, dataset: CamVid, cache: Path, kept: Report) -> None:
        self.change(dataset)
        assert check(dataset, cache, progress=False) == kept
        assert check(dataset, progress=False) != kept

    def test_is_not_believed_after_a_change(self, dataset: CamVid, cache: Path, kept: Report) -> None:
        trees.write_grey(mask(dataset, 0), np.zeros((trees.SIZE[1], trees.SIZE[0]), np.uint8))
        assert check(dataset, cache, progress=False) != kept

    def test_is_of_one_class_table(self, dataset: CamVid, cache: Path, kept: Report, camvid11: ClassSet) -> None:
        void_is_sky = replace(camvid11, raw_ids={"camvid": {**camvid11.raw_ids["camvid"], 11: 0}})
        report = check(CamVid(dataset.root, "train", void_is_sky), cache, progress=False)
        assert report.ignored == 0
        assert report.pixels[0] == 2 * kept.pixels[0]

    def test_is_of_one_list_of_frames(self, dataset: CamVid, cache: Path, kept: Report) -> None:
        assert check(dataset.subset(NAMES[:2]), cache, progress=False).frames == 2

    @pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"frames": 6', '{"frames": 6}'])
    def test_is_made_again_when_damaged(self, dataset: CamVid, cache: Path, kept: Report, content: str) -> None:
        (file,) = cache.iterdir()
        file.write_text(content)
        assert check(dataset, cache, progress=False) == kept
        assert json.loads(file.read_text())["frames"] == 6

    def test_keeps_no_bad_news(self, dataset: CamVid, cache: Path) -> None:
        mask(dataset, 0).write_bytes(b"")
        assert check(dataset, cache, progress=False).problems
        assert not cache.exists()

    def test_that_cannot_be_written_is_a_remark(
        self, dataset: CamVid, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").write_text("")
        assert check(dataset, tmp_path / "file", progress=False) == check(dataset, progress=False)
        assert "cannot be kept in" in capsys.readouterr().err


class Interrupted(CamVid):
    """Ctrl-C while the first frame is decoded; every other one takes its time."""

    decoded = 0

    def read_mask(self, path: Path) -> np.ndarray:
        self.decoded += 1
        if self.decoded == 1:
            raise KeyboardInterrupt
        time.sleep(0.01)
        return super().read_mask(path)


def test_interrupt_does_not_wait_for_the_rest(dataset: CamVid, camvid11: ClassSet) -> None:
    long = Interrupted(dataset.root, "train", camvid11).subset(NAMES * 100)
    with pytest.raises(KeyboardInterrupt):
        classes_in(long, progress=False)
    assert long.decoded < 100
    long.decoded = 0
    with pytest.raises(KeyboardInterrupt):
        check(long, progress=False, threads=2)
    assert long.decoded < 100
