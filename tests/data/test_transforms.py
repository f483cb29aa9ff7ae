import pytest
import torch

from pixda.data.dataset import Sample
from pixda.data.transforms import flip, random_crop
from pixda.errors import UserError


@pytest.fixture
def sample() -> Sample:
    """Every pixel knows its place: channel 0 is the column, channel 1 the row, the mask their sum."""
    rows, columns = torch.meshgrid(torch.arange(20), torch.arange(30), indexing="ij")
    image = torch.stack([columns, rows, torch.zeros_like(rows)]).to(torch.uint8)
    return Sample(image, (rows + columns).to(torch.uint8), "a", "rome")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_crop_cuts_image_and_mask_alike(sample: Sample) -> None:
    places = set()
    random = generator()
    for _ in range(300):
        crop = random_crop(sample, (28, 19), random)
        assert crop.image.shape == (3, 19, 28)
        assert torch.equal(crop.mask, crop.image[0] + crop.image[1])
        places.add((int(crop.image[0, 0, 0]), int(crop.image[1, 0, 0])))
    assert places == {(left, top) for left in range(3) for top in range(2)}
    assert (crop.name, crop.city) == ("a", "rome")


def test_crop_of_the_whole(sample: Sample) -> None:
    crop = random_crop(sample, (30, 20), generator())
    assert torch.equal(crop.image, sample.image)


@pytest.mark.parametrize("size", [(31, 20), (30, 21)])
def test_crop_larger_than_the_frame(sample: Sample, size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="does not fit into frame 'a' of 30 x 20"):
        random_crop(sample, size, generator())


def test_flip_turns_image_and_mask_together_in_half_of_all_cases(sample: Sample) -> None:
    random = generator()
    turned = 0
    for _ in range(400):
        result = flip(sample, random)
        assert torch.equal(result.mask, result.image[0] + result.image[1])
        assert torch.equal(result.image[1], sample.image[1])
        turned += int(result.image[0, 0, 0] == 29)
    assert 150 < turned < 250


def test_equal_seeds_give_equal_results(sample: Sample) -> None:
    for transform in (lambda s, g: random_crop(s, (9, 7), g), flip):
        runs = [[transform(sample, random).image.sum() for _ in range(9)] for random in (generator(4), generator(4))]
        assert runs[0] == runs[1]
