"""The cache of decoded samples: what is in it, killed fillings, two processes at once, full disks, changed files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import trees

from pixda.data.cache import Cache
from pixda.data.check import check
from pixda.data.classes import ClassSet
from pixda.data.files import packed_mask
from pixda.data.public_datasets import CamVid
from pixda.errors import UserError

NAMES = [f"0001TP_{number:06d}" for number in range(40)]
SIZE = (24, 18)
SAMPLE = 4 * 24 * 18

# A process that fills the cache of `dataset`, slowly; what is made counts after every second sample.
FILL = f"""
import resource, signal, sys, time
from pathlib import Path
from pixda.data import cache
from pixda.data.public_datasets import CamVid
from pixda.data.classes import ClassSet
from pixda.errors import UserError

class Slow(CamVid):
    title = "CamVid"
    def read_mask(self, path):
        time.sleep(float(sys.argv[3]))
        return super().read_mask(path)

cache._AT_A_TIME = 2 * {SAMPLE}
if len(sys.argv) > 4:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), -1))
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background hands down that it is ignored
dataset = Slow(Path(sys.argv[1]), "train", ClassSet.load("camvid-11"), {SIZE})
made = cache.Cache(Path(sys.argv[2]), dataset)
try:
    with made.filling():
        made.fill(threads=1)
except UserError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.camvid(tmp_path / "camvid", {"train": NAMES})


@pytest.fixture
def dataset(root: Path, camvid11: ClassSet) -> CamVid:
    return CamVid(root, "train", camvid11, SIZE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "cache"


def filled(folder: Path, dataset: CamVid) -> Cache:
    cache = Cache(folder, dataset)
    with cache.filling():
        cache.fill()
    return cache


def assert_right(folder: Path, dataset: CamVid) -> None:
    """The cache has every sample of the dataset, and each is what its files say."""
    cache = Cache(folder, dataset)
    assert cache.missing == []
    stored = cache.stored()
    for index, frame in enumerate(dataset.frames):
        image, mask = dataset.decoded(frame)
        assert torch.equal(stored[index][0], image)
        assert torch.equal(stored[index][1], mask)


def samples_of(folder: Path) -> Path:
    (path,) = folder.glob("*/samples.uint8")
    return path


def fill(root: Path, folder: Path, pause: float = 0.0, *limit: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FILL, str(root), str(folder), str(pause), *limit]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_spares_the_decoding(dataset: CamVid, folder: Path) -> None:
    plain = list(dataset)
    filled(folder, dataset)
    for frame in dataset.frames:
        before = frame.image.stat()
        frame.image.write_bytes(b"\0" * before.st_size)
        os.utime(frame.image, ns=(before.st_atime_ns, before.st_mtime_ns))
    dataset.stored = Cache(folder, dataset).stored()
    assert all(torch.equal(one.image, two.image) for one, two in zip(plain, dataset, strict=True))


def test_a_sample_is_the_readers_own(dataset: CamVid, folder: Path) -> None:
    dataset.stored = filled(folder, dataset).stored()
    dataset[0].image.zero_()
    assert dataset[0].image.any()


def test_what_is_made_of_a_cached_dataset(dataset: CamVid, folder: Path) -> None:
    plain = list(dataset)
    dataset.stored = filled(folder, dataset).stored()
    chosen = dataset.subset([NAMES[7], NAMES[2], NAMES[7]])
    assert [sample.name for sample in chosen] == [NAMES[7], NAMES[2], NAMES[7]]
    assert torch.equal(chosen[1].image, plain[2].image)
    assert torch.equal(chosen[2].mask, plain[7].mask)
    assert (dataset.without_masks()[3].mask == 255).all()
    other = dataset.with_masks({NAMES[3]: packed_mask(np.full((18, 24), 5, np.uint8))}).subset([NAMES[3]])[0]
    assert torch.equal(other.image, plain[3].image)
    assert (other.mask == 5).all()


def test_a_part_of_the_frames_shares_the_cache_of_all(dataset: CamVid, folder: Path) -> None:
    few = dataset.subset([NAMES[9], NAMES[1], NAMES[9]])
    filled(folder, few)
    assert samples_of(folder).stat().st_size == 2 * SAMPLE, "a repeated frame is stored once"
    assert_right(folder, few)
    assert len(Cache(folder, dataset).missing) == len(NAMES) - 2
    filled(folder, dataset)
    assert samples_of(folder).stat().st_size == len(NAMES) * SAMPLE
    assert_right(folder, few)
    assert_right(folder, dataset)


class Counting(CamVid):
    read = 0

    def read_mask(self, path: Path) -> np.ndarray:
        type(self).read += 1
        return super().read_mask(path)


def test_check_and_cache_decode_a_file_once(root: Path, camvid11: ClassSet, tmp_path: Path, folder: Path) -> None:
    dataset = Counting(root, "train", camvid11, SIZE)
    report = check(dataset, tmp_path / "known", progress=False, samples=Cache(folder, dataset))
    assert Counting.read == len(NAMES)
    assert report == check(dataset, tmp_path / "known", progress=False, samples=Cache(folder, dataset))
    assert Counting.read == len(NAMES)
    assert_right(folder, dataset)
    assert report == check(CamVid(root, "train", camvid11, SIZE), progress=False)


def test_a_broken_file_does_not_cost_the_others(dataset: CamVid, folder: Path) -> None:
    image = dataset.frames[5].image
    good = image.read_bytes()
    image.write_bytes(b"no picture")
    report = check(dataset, progress=False, samples=Cache(folder, dataset))
    assert len(report.problems) == 1
    image.write_bytes(good)
    cache = Cache(folder, dataset)
    assert cache.missing == [5]
    check(dataset, progress=False, samples=cache).raise_if_bad()
    assert_right(folder, dataset)


def test_killed_again_and_again_it_goes_on_and_never_believes_half_a_sample(
    root: Path, dataset: CamVid, folder: Path
) -> None:
    counts = [0]
    for _ in range(2):
        process = fill(root, folder, 0.03)
        limit = time.monotonic() + 60
        while len(Cache(folder, dataset).missing) > len(NAMES) - counts[-1] - 5 and time.monotonic() < limit:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        with samples_of(folder).open("ab") as file:  # as if it had been killed within a sample
            file.write(b"\7" * 100)
        counts.append(len(NAMES) - len(Cache(folder, dataset).missing))
    assert 0 < counts[1] < counts[2] < len(NAMES), counts
    process = fill(root, folder)
    assert process.wait() == 0, process.communicate()
    assert samples_of(folder).stat().st_size == len(NAMES) * SAMPLE
    assert_right(folder, dataset)


def test_ctrl_c_leaves_what_counts(root: Path, dataset: CamVid, folder: Path) -> None:
    process = fill(root, folder, 0.05)
    limit = time.monotonic() + 60
    while len(Cache(folder, dataset).missing) > len(NAMES) - 4 and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait() != 0
    assert 0 < len(Cache(folder, dataset).missing) < len(NAMES)
    filled(folder, dataset)
    assert_right(folder, dataset)


def test_two_processes_at_once_make_each_sample_once(root: Path, dataset: CamVid, folder: Path) -> None:
    processes = [fill(root, folder, 0.02) for _ in range(2)]
    told = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum("another process is filling" in text for text in told) == 1, told
    assert samples_of(folder).stat().st_size == len(NAMES) * SAMPLE
    assert_right(folder, dataset)


def test_reading_goes_on_while_another_process_adds(root: Path, dataset: CamVid, folder: Path) -> None:
    few = dataset.subset(NAMES[:3])
    expected = list(few)
    few.stored = filled(folder, few).stored()
    process = fill(root, folder, 0.01)
    while process.poll() is None:
        assert all(torch.equal(one.image, two.image) for one, two in zip(few, expected, strict=True))
    assert process.wait() == 0
    assert_right(folder, dataset)


@pytest.mark.parametrize(("file", "keep"), [("samples", 7.5), ("frames", 7.5), ("samples", 0), ("frames", 0)])
def test_a_file_cut_short_is_believed_as_far_as_it_goes(dataset: CamVid, folder: Path, file: str, keep: float) -> None:
    filled(folder, dataset)
    path = samples_of(folder).with_name(f"{file}.uint8")
    os.truncate(path, int(keep * path.stat().st_size / len(NAMES)))
    assert len(Cache(folder, dataset).missing) == len(NAMES) - int(keep)
    filled(folder, dataset)
    assert_right(folder, dataset)


def test_a_changed_file_is_told_and_decoded_anew(
    dataset: CamVid, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(folder, dataset)
    trees.write_image(dataset.frames[4].image, 99)
    capsys.readouterr()
    filled(folder, dataset)
    told = " ".join(capsys.readouterr().out.split())
    assert "1 samples of CamVid" in told
    assert "the files of 1 frames have changed since they were cached" in told
    assert_right(folder, dataset)


def test_an_older_cache_of_the_same_data_is_told(
    root: Path, dataset: CamVid, folder: Path, camvid11: ClassSet, capsys: pytest.CaptureFixture[str]
) -> None:
    old = filled(folder, dataset).folder
    capsys.readouterr()
    other = CamVid(root, "train", camvid11, (12, 9))
    filled(folder, other)
    told = " ".join(capsys.readouterr().out.split())
    assert f"{old} is of the same data, but of another size; remove it" in told
    assert_right(folder, other)
    assert_right(folder, dataset)


def test_other_labels_are_another_cache(root: Path, dataset: CamVid, folder: Path, camvid11: ClassSet) -> None:
    filled(folder, dataset)
    ids = camvid11.raw_ids["camvid"]
    void_is_sky = ClassSet.from_dict({**camvid11.to_dict()})
    void_is_sky.raw_ids["camvid"].update({**ids, 11: 0})
    assert len(Cache(folder, CamVid(root, "train", void_is_sky, SIZE)).missing) == len(NAMES)


def test_what_the_disk_would_not_hold_is_refused_before_anything_is_written(
    root: Path, folder: Path, camvid11: ClassSet
) -> None:
    cache = Cache(folder, CamVid(root, "train", camvid11, (600_000, 400_000)))
    with (
        pytest.raises(UserError, match=r"cache of 40 samples of CamVid .* takes 38400.0 GB, and .* GB free") as error,
        cache.filling(),
    ):
        raise AssertionError("it began")
    assert "--machine.cache" in str(error.value)
    assert not list(folder.glob("*/*.uint8"))


def test_a_disk_that_fills_up_is_one_sentence_and_what_counts_stays(root: Path, dataset: CamVid, folder: Path) -> None:
    process = fill(root, folder, 0.0, str(10 * SAMPLE + 5))
    told = process.communicate()[1].strip()
    assert process.returncode == 1
    assert told.startswith("The cache of decoded samples cannot be written to")
    assert "Traceback" not in told
    assert len(Cache(folder, dataset).missing) == len(NAMES) - 10
    filled(folder, dataset)
    assert_right(folder, dataset)


def test_a_folder_that_cannot_be_made(dataset: CamVid, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written to"), Cache(tmp_path / "file", dataset).filling():
        raise AssertionError("it began")
