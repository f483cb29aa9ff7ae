"""The streams: which images, in which order, with which crops, whatever the workers, the skip and the ranks."""

from collections import Counter

import pytest
import torch
from trees import CITYSCAPES_IDS, folder, write_image

from pixda.data.domains import Domains
from pixda.data.files import packed_mask
from pixda.data.folder import Folder
from pixda.errors import UserError


@pytest.fixture(scope="module")
def datasets(tmp_path_factory, cityscapes19):
    root = tmp_path_factory.mktemp("streams")
    folder(root / "source", [f"{number:02d}.png" for number in range(10)], CITYSCAPES_IDS)
    folder(root / "target", [f"t{number}.png" for number in range(3)], CITYSCAPES_IDS)
    return tuple(Folder(root / side, "all", cityscapes19, scheme="cityscapes") for side in ("source", "target"))


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory, cityscapes19):
    root = tmp_path_factory.mktemp("unlabelled")
    for number in range(7):
        write_image(root / f"images/u{number}.png", number)
    return Folder(root, "all", cityscapes19, scheme="cityscapes", labelled=False)


def streams(datasets, **changes):
    return Domains(*datasets, seed=0, device=torch.device("cpu"), **changes)


def names(pairs, side):
    return [name for pair in pairs for name in getattr(pair, side).names]


def test_a_pass_over_the_source_draws_every_image_once_but_for_the_short_last_batch(datasets):
    domains = streams(datasets)
    drawn = names(domains.source_only(domains.source_names, 4, "p", 0, 0), "source")
    assert len(drawn) == len(set(drawn)) == 8


def test_batches_are_as_the_networks_and_losses_want_them(datasets):
    domains = streams(datasets, crop=(32, 16))
    pair = next(iter(domains.source_and_target(domains.source_names, 4, "p", 0, 0)))
    assert pair.source.images.shape == (4, 3, 16, 32)
    assert pair.source.images.dtype == torch.float32
    assert pair.source.masks.shape == (4, 16, 32)
    assert pair.source.masks.dtype == torch.int64
    assert pair.source.images.max() > 1, "0..255: the segmenter normalises"


def test_shots_are_repeated_evenly(datasets):
    drawn = names(streams(datasets).target_only(9, 4, "p", 0, 0), "target")
    assert set(Counter(drawn).values()) == {12}


@pytest.mark.parametrize("side", ["source", "unlabelled"])
def test_the_order_depends_on_seed_phase_and_epoch_alone(datasets, unlabelled, side):
    def order(phase="p", epoch=0, seed=0):
        domains = Domains(*datasets, seed, torch.device("cpu"), unlabelled=unlabelled)
        return names(domains.source_and_target(domains.source_names, 2, phase, epoch, 0), side)

    assert order() == order()
    assert all(other != order() for other in (order(epoch=1), order(phase="q"), order(seed=1)))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_epoch_is_the_rest_of_the_unbroken_one_to_the_last_crop(datasets, unlabelled, workers):
    whole = streams(datasets, crop=(32, 16), flip=True, unlabelled=unlabelled)
    late = streams(datasets, crop=(32, 16), flip=True, unlabelled=unlabelled, workers=workers)
    unbroken = list(whole.source_and_target(whole.source_names, 2, "p", 3, 0))[2:]
    resumed = list(late.source_and_target(late.source_names, 2, "p", 3, 2))
    assert len(unbroken) == len(resumed) == 3
    for one, two in zip(unbroken, resumed, strict=True):
        assert one.source.names == two.source.names
        assert torch.equal(one.source.images, two.source.images)
        assert torch.equal(one.target.masks, two.target.masks)
        assert torch.equal(one.unlabelled.images, two.unlabelled.images)


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("skip", [0, 1])
def test_the_parts_of_all_processes_are_the_batch_of_one(datasets, unlabelled, world, skip):
    """Images, crops and flips of every stream, in every batch: whatever the number of processes, and after a stop."""

    def batches(**part):
        domains = streams(datasets, crop=(32, 16), flip=True, unlabelled=unlabelled, **part)
        yield from domains.source_and_target(domains.source_names, 4, "p", 0, skip)
        yield from domains.concatenated(4, "p", 0, skip)
        yield from domains.target_only(3, 4, "p", 0, skip)

    whole = list(batches())
    parts = [list(batches(rank=rank, world=world)) for rank in range(world)]
    assert {len(part) for part in parts} == {len(whole)}
    for step, *shared in zip(whole, *parts, strict=True):
        for side in ("source", "target", "unlabelled"):
            one, others = getattr(step, side), [getattr(part, side) for part in shared]
            if one is None:
                assert others == [None] * world
                continue
            assert {len(part.names) for part in others} == {4 // world}
            for row in range(4):
                part, place = others[row % world], row // world
                assert part.names[place] == one.names[row]
                assert torch.equal(part.images[place], one.images[row])


def test_whole_images_are_divided_over_the_processes(datasets, unlabelled):
    parts = [streams(datasets, rank=rank, world=4, unlabelled=unlabelled) for rank in range(4)]
    shown = [[name for batch in one.whole("unlabelled", 4) for name in batch.names] for one in parts]
    assert sorted(name for part in shown for name in part) == [f"u{number}" for number in range(7)]
    alone = streams(datasets)
    beside = {
        source: target
        for sources, targets in alone.whole_pairs(alone.source_names, 4, "p", 1)
        for source, target in zip(sources.names, targets.names, strict=True)
    }
    pairs = [pair for one in parts for pair in one.whole_pairs(one.source_names, 4, "p", 1)]
    seen = [both for sources, targets in pairs for both in zip(sources.names, targets.names, strict=True)]
    assert len(seen) == len(alone.source_names)
    assert dict(seen) == beside, "the same style for every image, whoever scores it"


def test_unlabelled_images_come_third_and_leave_the_other_streams_as_they_were(datasets, unlabelled):
    without, domains = streams(datasets), streams(datasets, unlabelled=unlabelled)
    before = list(without.source_and_target(without.source_names, 2, "p", 0, 0))
    pairs = list(domains.source_and_target(domains.source_names, 2, "p", 0, 0))
    assert {pair.unlabelled for pair in before} == {None}
    for side in ("source", "target"):
        assert names(pairs, side) == names(before, side)
    assert sorted(Counter(names(pairs, "unlabelled")).values()) == [1] * 4 + [2] * 3, "10 draws from 7 images"
    assert len(set(names(pairs, "unlabelled")[:7])) == 7, "each once before any again"
    assert {len(pair.unlabelled.names) for pair in pairs} == {2}
    assert all((pair.unlabelled.masks == 255).all() for pair in pairs)
    assert all(pair.unlabelled.images.max() > 1 for pair in pairs)


def test_unlabelled_images_are_not_kept_in_memory(datasets, unlabelled):
    """There may be more of them than memory holds: what is on disk is read each time."""
    domains = streams(datasets, unlabelled=unlabelled)

    def read():
        batches = [pair.unlabelled for pair in domains.source_and_target(domains.source_names, 2, "p", 0, 0)]
        return {name: image for batch in batches for name, image in zip(batch.names, batch.images, strict=True)}

    first = read()
    write_image(unlabelled.root / "images/u0.png", 99)
    again = read()
    write_image(unlabelled.root / "images/u0.png", 0)
    assert [name for name in first if not torch.equal(first[name], again[name])] == ["u0"]


@pytest.mark.parametrize("workers", [0, 1])
def test_concatenated_sets_are_passed_over_as_one_with_a_shot_beside_each_image(datasets, workers):
    domains = streams(datasets, crop=(32, 16), flip=True, workers=workers)
    shots = [frame.name for frame in domains.target.frames]
    pairs = list(domains.concatenated(2, "p", 0, 0))
    seen = names(pairs, "source")
    assert len(set(seen)) == len(seen) == 2 * ((len(domains.source_names) + len(shots)) // 2)
    assert set(seen) <= {*domains.source_names, *shots}
    assert set(names(pairs, "target")) <= set(shots)
    for pair in pairs:
        for index, name in enumerate(pair.source.names):
            if name in shots:
                assert torch.equal(pair.source.images[index], pair.target.images[index]), "its own style, to the crop"
    late = list(domains.concatenated(2, "p", 0, 3))
    assert [pair.source.names for pair in late] == [pair.source.names for pair in pairs[3:]]
    assert names(domains.concatenated(2, "p", 1, 0), "source") != seen


@pytest.mark.parametrize("workers", [0, 1])
def test_given_masks_follow_their_images_through_crop_and_flip(datasets, unlabelled, workers):
    """Masks made of the images' own red: wherever a pixel goes, its mask goes with it."""

    def remade(dataset):
        reds = {sample.name: sample.image[0].numpy() // 13 for sample in dataset}
        return dataset.with_masks({name: packed_mask(red) for name, red in reds.items()})

    given = streams(
        (datasets[0], remade(datasets[1])), unlabelled=remade(unlabelled), crop=(32, 16), flip=True, workers=workers
    )
    pairs = list(given.source_and_target(given.source_names, 2, "p", 0, 0))
    for side in ("target", "unlabelled"):
        for pair in pairs:
            batch = getattr(pair, side)
            assert batch.masks.shape == (2, 16, 32)
            assert torch.equal(batch.masks, batch.images[:, 0].long() // 13)
    before = streams(datasets, unlabelled=unlabelled, crop=(32, 16), flip=True)
    for old, new in zip(before.source_and_target(before.source_names, 2, "p", 0, 0), pairs, strict=True):
        assert torch.equal(old.target.images, new.target.images), "other masks, the same images"
        assert torch.equal(old.source.masks, new.source.masks)


def test_target_images_are_shown_once_whole_and_in_order(datasets, unlabelled):
    domains = streams(datasets, unlabelled=unlabelled, crop=(32, 16), flip=True)
    for stream, dataset in (("target", datasets[1]), ("unlabelled", unlabelled)):
        batches = list(domains.whole(stream, 2))
        assert [name for batch in batches for name in batch.names] == [frame.name for frame in dataset.frames]
        assert torch.equal(torch.cat([batch.images for batch in batches])[1], dataset[1].image.float())
    assert list(streams(datasets).whole("unlabelled", 2)) == []


def test_fewer_images_than_a_batch_give_no_pair(datasets):
    domains = streams(datasets)
    assert list(domains.source_and_target(domains.source_names[:3], 4, "p", 0, 0)) == []
    assert list(domains.source_and_target([], 4, "p", 0, 0)) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_turns_unreadable_is_named_and_not_taken_for_the_end_of_an_epoch(
    tmp_path, cityscapes19, datasets, workers
):
    folder(tmp_path, [f"{number}.png" for number in range(4)], CITYSCAPES_IDS)
    source = Folder(tmp_path, "all", cityscapes19, scheme="cityscapes")
    (tmp_path / "images/2.png").write_bytes(b"gone")
    domains = Domains(source, datasets[1], 0, torch.device("cpu"), workers=workers)
    with pytest.raises(UserError, match=r"images/2\.png") as error:
        list(domains.source_and_target(domains.source_names, 2, "p", 0, 0))
    assert "\n" not in str(error.value)
