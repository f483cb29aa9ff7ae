"""Several sources behind one numbering: their names, their shares of a batch, and the batches that come of it."""

from collections import Counter

import pytest
import torch
from trees import CITYSCAPES_IDS, folder, synthia

from pixda.data.domains import Domains
from pixda.data.folder import Folder
from pixda.data.public_datasets import Synthia
from pixda.data.sources import Sources
from pixda.errors import UserError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    for name, count in (("large", 11), ("small", 5), ("tiny", 2), ("target", 3)):
        folder(root / name, [f"{number:02d}.png" for number in range(count)], CITYSCAPES_IDS)
    synthia(root / "synthia", 2)
    return root


@pytest.fixture
def opened(root, cityscapes19):
    def opened(*names):
        return [Folder(root / name, "all", cityscapes19, (72, 36), scheme="cityscapes") for name in names]

    return opened


@pytest.fixture
def streams(opened):
    def streams(*names, **changes):
        source, *more = opened(*names)
        return Domains(source, opened("target")[0], 0, torch.device("cpu"), more_sources=more, **changes)

    return streams


def drawn(domains, names, batch, epoch=0, skip=0):
    return [pair.source.names for pair in domains.source_and_target(names, batch, "p", epoch, skip)]


def literal_shares(sizes, batch):
    """Drop one source at a time that cannot fill its share, until all that are left can."""
    live = [index for index, size in enumerate(sizes) if size]
    while live:
        share = {index: batch // len(live) for index in live}
        for index in live[: batch % len(live)]:
            share[index] += 1
        short = [index for index in live if share[index] == 0 or sizes[index] < share[index]]
        if not short:
            return share
        live.remove(short[-1])
    return {}


def test_a_lone_source_keeps_its_names(opened):
    sources = Sources(opened("small"))
    assert sources.names == ["00", "01", "02", "03", "04"]
    assert sources[3].name == "03"


def test_names_of_several_never_collide(opened, root, cityscapes19):
    sources = Sources([*opened("small", "tiny"), Synthia(root / "synthia", "train", cityscapes19, (72, 36))])
    assert sources.titles == ["folder-1", "folder-2", "synthia"]
    assert sources.names[4:] == ["folder-1/04", "folder-2/00", "folder-2/01", "synthia/0000000", "synthia/0000001"]
    assert [sources.source_of(name) for name in sources.names] == [0] * 5 + [1] * 2 + [2] * 2
    for place, name in enumerate(sources.names):
        sample = sources[place]
        assert sample.name == name
        own = sources.datasets[sources.source_of(place)]
        assert torch.equal(sample.image, next(one for one in own if name.endswith(f"/{one.name}")).image)


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 7, 12, 20])
@pytest.mark.parametrize("kept", [(11, 5, 2), (11, 0, 2), (3, 5, 1), (0, 0, 0), (1, 1, 1), (11, 5, 0)])
def test_shares_are_even_and_short_sources_leave_theirs_to_the_others(opened, kept, batch):
    sources = Sources(opened("large", "small", "tiny"))
    names = [f"folder-{source + 1}/{number:02d}" for source, count in enumerate(kept) for number in range(count)]
    shares = sources.shares(names, batch)
    assert {share.source: share.take for share in shares} == literal_shares(kept, batch)
    assert sum(share.take for share in shares) in (0, batch)
    for share in shares:
        assert {sources.source_of(place) for place in share.frames} == {share.source}
        assert len(share.frames) == kept[share.source]


def test_an_epoch_is_one_pass_over_the_largest_and_the_smaller_repeat_evenly(streams):
    domains = streams("large", "small", "tiny")
    batches = drawn(domains, domains.source_names, 4)  # 2 of the first, 1 of each other: 5 x 2, 5 x 1, 2 x 1
    assert len(batches) == 5
    assert all(
        [name.split("/")[0] for name in one] == ["folder-1", "folder-1", "folder-2", "folder-3"] for one in batches
    )
    counts = Counter(name for one in batches for name in one)
    assert sorted(count for name, count in counts.items() if name.startswith("folder-1")) == [1] * 10
    assert sorted(count for name, count in counts.items() if name.startswith("folder-2")) == [1] * 5
    assert sorted(count for name, count in counts.items() if name.startswith("folder-3")) == [2, 3]


def test_what_is_left_of_the_sources_decides_the_batches(streams):
    domains = streams("large", "small")
    kept = [*domains.source_names[:7], "folder-2/03"]
    batches = drawn(domains, kept, 4)  # the second has less than its share of two: the first fills the batch
    assert len(batches) == 1
    assert all(name.startswith("folder-1/") for one in batches for name in one)
    assert drawn(domains, ["folder-1/00", "folder-2/03"], 4) == []


def test_the_first_of_several_draws_as_it_does_alone(streams):
    """So that a second source changes what is beside the first one's images, and not these."""
    alone, both = streams("large"), streams("large", "small")
    one = [name for batch in drawn(alone, alone.source_names, 2) for name in batch]
    two = [name for batch in drawn(both, both.source_names, 4) for name in batch if name.startswith("folder-1/")]
    assert [f"folder-1/{name}" for name in one] == two


def test_processes_share_each_source_without_overlap(streams):
    shares = [drawn(one, one.source_names, 4) for one in (streams("large", "small", rank=r, world=2) for r in (0, 1))]
    assert len(shares[0]) == len(shares[1]) == 5
    for mine, theirs in zip(*shares, strict=True):
        assert not set(mine) & set(theirs)
        assert [name.split("/")[0] for name in mine] == ["folder-1", "folder-2"]


def test_selection_sees_the_images_of_a_source_whole_and_in_order(streams):
    domains = streams("large", "small")
    names = domains.source_names[9:13]
    batches = list(domains.whole_pairs(names, 3, "p", 1))
    assert [name for source, _ in batches for name in source.names] == names


def test_a_source_too_small_for_its_share_is_named(opened):
    sources = Sources(opened("large", "tiny"))
    sources.check(4)
    with pytest.raises(UserError, match=r"'folder-2' in .*tiny has 2 frames, and a batch takes 3"):
        sources.check(6)
    Sources(opened("tiny")).check(50)  # a lone one: the phase that finds no full batch says so
