"""What a source of many frames costs a loader process: nothing that grows with the frames."""

import multiprocessing
import pickle
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
import torch
import trees

from pixda.data.cache import Cache
from pixda.data.check import check
from pixda.data.config import Augmentation
from pixda.data.dataset import SegmentationDataset
from pixda.data.domains import Domains
from pixda.data.drawing import Drawn
from pixda.data.frames import Frame
from pixda.data.public_datasets import GTA5


class Many(SegmentationDataset):
    """So many frames (the split says how many), of which all are one small picture on disk."""

    scheme = "cityscapes"

    def find(self):
        image, mask = self.root / "image.png", self.root / "mask.png"
        return [Frame(f"city/frame_{number:06d}", "city", image, mask) for number in range(int(self.split))]


@pytest.fixture
def opened(tmp_path, cityscapes19):
    trees.write_image(tmp_path / "image.png", 0, (16, 16))
    trees.write_grey(tmp_path / "mask.png", trees.stripes(trees.CITYSCAPES_IDS, (16, 16)))

    def opened(frames):
        source, target = (Many(tmp_path, str(count), cityscapes19) for count in (frames, 3))
        return Domains(source, target, 0, torch.device("cpu"), workers=1)

    return opened


def test_what_a_spawned_worker_is_sent_is_a_few_dozen_bytes_a_frame(opened):
    few, many = (len(pickle.dumps(Drawn(opened(count).sources, None, True, Augmentation()))) for count in (100, 10_100))
    assert (many - few) / 10_000 < 100


def test_the_draws_of_an_epoch_are_arrays(opened):
    """Not objects, which a worker's garbage collector would write to, and so copy."""
    draws = opened(10_000)._pass_over(opened(10_000).source_names, 4, "p", 0)
    assert isinstance(draws.places, np.ndarray)
    assert draws.places.nbytes + draws.seeds.nbytes == 2 * 8 * 10_000
    assert [len(batch) for batch in islice(draws, 2)] == [4, 4]


@pytest.mark.slow
def test_ten_thousand_frames_are_ready_at_once_the_second_time(tmp_path, cityscapes19):
    """Found, known to be in order, in the cache, and the first batch drawn: in CPU seconds."""
    trees.gta5(tmp_path / "gta5", [1])
    for number in range(2, 10_001):
        for side in ("images", "labels"):
            (tmp_path / f"gta5/{side}/{number:05d}.png").hardlink_to(tmp_path / f"gta5/{side}/00001.png")

    def begin():
        since = time.process_time()
        source = GTA5(tmp_path / "gta5", "all", cityscapes19, (24, 18))
        cache = Cache(tmp_path / "cache", source)
        check(source, tmp_path / "known", progress=False, samples=cache)
        source.stored = cache.stored()
        domains = Domains(source, source.subset(["00001"]), 0, torch.device("cpu"))
        next(domains.source_and_target(domains.source_names, 4, "p", 0, 0))
        return time.process_time() - since

    first, second = begin(), begin()
    print(f"{first:.1f} s the first time, {second:.2f} s the second")
    assert second < 2


def private(process):
    """Memory of a process that it shares with no other, in bytes."""
    fields = dict(line.split(":") for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:])
    return sum(int(fields[key].split()[0]) for key in ("Private_Clean", "Private_Dirty")) * 1024


def of_a_worker(domains, draws):
    """The source's worker after so many draws: the larger of the two, the other one loads shots."""
    names = list(islice(cycle(domains.source_names), draws))
    for number, _ in enumerate(domains.whole_pairs(names, 5, "p", 0), start=1):
        if number == draws // 5 - 2:  # the last batches are on their way: all frames were asked for
            return max(private(process.pid) for process in multiprocessing.active_children())
    raise AssertionError("no batch")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads the memory of processes from Linux")
def test_a_worker_costs_as_much_for_15_000_frames_as_for_100(opened):
    few, many = (opened(count) for count in (100, 15_000))
    # The smaller of two, for what the allocator does differs from worker to worker by half a megabyte.
    costs_few, costs_many = (min(of_a_worker(one, 15_000) for _ in range(2)) for one in (few, many))
    print(f"private to a worker: {costs_few / 1e6:.1f} MB for 100 frames, {costs_many / 1e6:.1f} MB for 15 000")
    assert costs_many - costs_few < 1e6, "66 bytes a frame; a name and a number as objects take more"
