"""Batches of draws by hand, and what becomes of an image that is drawn."""

import numpy as np
import pytest
import torch

from pixda.data.augmentation import flip, random_crop
from pixda.data.config import Augmentation
from pixda.data.dataset import Sample
from pixda.data.drawing import Draw, Drawn, Draws, InMemory, collate
from pixda.errors import UserError


def draws(count, batch, first=0):
    return Draws(np.arange(first, first + count), np.arange(first, first + count) * 10, batch)


def places(batches):
    return [[draw.place for draw in batch] for batch in batches]


def test_batches_follow_each_other_and_the_last_may_be_short():
    one = draws(7, 3)
    assert list(one) == [
        [Draw(0, 0), Draw(1, 10), Draw(2, 20)],
        [Draw(3, 30), Draw(4, 40), Draw(5, 50)],
        [Draw(6, 60)],
    ]
    assert [len(draws(count, 3)) for count in (0, 1, 3, 4, 6, 7)] == [0, 1, 1, 2, 2, 3]
    assert list(draws(0, 3)) == []


def test_after_leaves_out_whole_batches():
    assert list(draws(7, 3).after(1)) == list(draws(7, 3))[1:]
    assert places(draws(7, 3).after(2)) == [[6]]
    assert list(draws(7, 3).after(0)) == list(draws(7, 3))
    assert len(draws(7, 3).after(3)) == 0


def test_parts_take_turns_within_each_batch():
    assert places(draws(8, 4).part(0, 2)) == [[0, 2], [4, 6]]
    assert places(draws(8, 4).part(1, 2)) == [[1, 3], [5, 7]]
    assert [places(draws(5, 5).part(rank, 3)) for rank in range(3)] == [[[0, 3]], [[1, 4]], [[2]]]
    assert list(draws(7, 3).part(0, 1)) == list(draws(7, 3))
    assert list(draws(6, 3).part(1, 2)) == [[Draw(1, 10)], [Draw(4, 40)]], "the seeds go with their images"


def test_a_process_without_an_image_of_the_batch_has_no_batch():
    none = draws(4, 2).part(3, 4)
    assert (len(none), list(none)) == (0, [])


def test_batches_side_by_side_hold_one_part_after_the_other():
    both = Draws.beside([draws(4, 2), draws(2, 1, first=100)])
    assert list(both) == [
        [Draw(0, 0), Draw(1, 10), Draw(100, 1000)],
        [Draw(2, 20), Draw(3, 30), Draw(101, 1010)],
    ]
    assert list(Draws.beside([draws(4, 2)])) == list(draws(4, 2))
    assert list(Draws.beside([])) == []


def test_whole_images_are_drawn_without_crop_and_flip():
    batches = list(Draws.whole(np.array([5, 6, 7]), 2))
    assert places(batches) == [[5, 6], [7]]
    assert all(draw.seed < 0 for batch in batches for draw in batch)


def sample(name="a", height=24, width=40):
    generator = torch.Generator().manual_seed(height)
    image = torch.randint(0, 256, (3, height, width), generator=generator).to(torch.uint8)
    return Sample(image, image[0] // 13, name, "")


def same(one, other):
    return one.name == other.name and torch.equal(one.image, other.image) and torch.equal(one.mask, other.mask)


def drawn(crop=None, mirror=False, **changes):
    return Drawn([sample("zero"), sample("one")], crop, mirror, Augmentation(**changes))


def test_without_a_seed_an_image_stays_as_it_is():
    asked = drawn((16, 8), True, scale=(0.5, 2.0), colour=0.5)
    assert same(asked[Draw(1, -1)], sample("one"))
    assert not same(asked[Draw(1, 0)], sample("one")), "0 is a seed"
    assert same(drawn()[Draw(1, 3)], sample("one")), "nothing was asked for"


def test_the_crop_is_made_before_the_flip_from_one_stream_of_numbers():
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        cropped = random_crop(sample("one"), (16, 8), generator)
        assert same(drawn((16, 8))[Draw(1, seed)], cropped)
        assert same(drawn((16, 8), True)[Draw(1, seed)], flip(cropped, generator))
    assert not all(same(drawn(None, True)[Draw(1, seed)], sample("one")) for seed in range(8))


def test_a_scaled_image_has_the_crops_size_or_its_own():
    assert drawn((16, 8), scale=(0.5, 2.0))[Draw(0, 1)].image.shape == (3, 8, 16)
    assert drawn(scale=(0.5, 2.0))[Draw(0, 1)].image.shape == (3, 24, 40)
    assert drawn(scale=(0.5, 2.0))[Draw(0, 1)].mask.shape == (24, 40)


class Torn:
    def __getitem__(self, index):
        raise UserError(f"image {index} is torn")


def test_an_unreadable_image_is_given_on_as_its_error():
    error = Drawn(Torn(), None, False, Augmentation())[Draw(2, 0)]
    assert isinstance(error, UserError)
    assert str(error) == "image 2 is torn"
    good = sample()
    batch = collate((good, error))
    assert isinstance(batch, list)
    assert batch[0] is good
    assert batch[1] is error


def test_a_batch_has_images_masks_and_names_in_order():
    images, masks, names = collate([sample("a"), sample("b")])
    assert (images.shape, masks.shape, names) == ((2, 3, 24, 40), (2, 24, 40), ["a", "b"])
    assert torch.equal(images[1], sample().image)
    assert torch.equal(masks[1], sample().mask)


class Counted(list):
    read = 0

    def __getitem__(self, index):
        self.read += 1
        return super().__getitem__(index)


def test_in_memory_each_image_is_decoded_once():
    dataset = Counted([sample("a"), sample("b")])
    kept = InMemory(dataset)
    assert len(kept) == 2
    assert [kept[index].name for index in (1, 0, 1, 1)] == ["b", "a", "b", "b"]
    assert dataset.read == 2
    with pytest.raises(IndexError):
        kept[2]
