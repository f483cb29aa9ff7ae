"""Random changes of training samples: decided by the seed, the same for image and mask, and off unless asked for."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from pixda.__main__ import main
from pixda.data.augmentation import check_augmentation, flip, random_crop, recoloured, scaled_crop
from pixda.data.classes import IGNORE
from pixda.data.config import Augmentation
from pixda.data.dataset import Sample
from pixda.data.drawing import Draw, Drawn
from pixda.errors import UserError
from runs import two_domains, words

ALL = Augmentation(scale=(0.5, 2.0), colour=0.4, blur=0.5, noise=8.0)
COLOURS = torch.tensor([[10, 20, 30], [200, 40, 90], [60, 180, 220], [250, 250, 5]], dtype=torch.uint8)


def sample(width=64, height=48):
    """Large patches whose colour is that of their class."""
    mask = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (height // 16, width // 16)).astype(np.uint8))
    mask = mask.repeat_interleave(16, 0).repeat_interleave(16, 1)
    return Sample(COLOURS[mask.long()].permute(2, 0, 1).contiguous(), mask, "one", "here")


class One(Dataset):
    def __getitem__(self, place):
        return sample()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_the_seed_decides_everything():
    drawn = Drawn(One(), (40, 32), True, ALL)
    first, again, other = (drawn[Draw(0, seed)] for seed in (5, 5, 6))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.mask, again.mask)
    assert not torch.equal(first.image, other.image)
    assert (first.image.shape, first.mask.shape) == ((3, 32, 40), (32, 40))
    assert (first.image.dtype, first.mask.dtype) == (torch.uint8, torch.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_image_and_mask_stay_together(seed):
    cut = scaled_crop(sample(), (40, 32), (0.5, 2.0), seeded(seed))
    expected = torch.full((3, *cut.mask.shape), 127, dtype=torch.uint8)
    known = cut.mask != IGNORE
    expected[:, known] = COLOURS[cut.mask[known].long()].T
    agreeing = (cut.image.int() - expected.int()).abs().amax(0) <= 2
    assert agreeing.float().mean() > 0.75, "all but the borders of patches, which bilinear sampling mixes"


def test_what_is_shown_grows_with_the_scale():
    """At twice the size a patch of 16 pixels is 32 wide: borders between patches are half as frequent."""

    def borders(scale):
        cut = [scaled_crop(sample(320, 240), (64, 64), (scale, scale), seeded(seed)).mask for seed in range(20)]
        return sum(int((mask[:, 1:] != mask[:, :-1]).sum()) for mask in cut)

    assert borders(2.0) == pytest.approx(borders(1.0) / 2, rel=0.2)
    assert borders(0.5) == pytest.approx(borders(1.0) * 2, rel=0.2)


def test_a_frame_that_is_too_small_is_padded_and_ignored_there():
    cut = scaled_crop(sample(64, 48), (64, 48), (0.5, 0.5), seeded(0))
    assert float((cut.mask == IGNORE).float().mean()) == pytest.approx(0.75, abs=0.03)
    assert (cut.image[:, cut.mask == IGNORE].float() - 127).abs().float().mean() < 3


def test_colours_move_within_their_strength_and_the_mask_does_not():
    given = sample()
    changed = [recoloured(given, Augmentation(colour=0.3), seeded(seed)) for seed in range(30)]
    assert all(torch.equal(one.mask, given.mask) for one in changed)
    brightness = [float(one.image.float().mean() / given.image.float().mean()) for one in changed]
    assert 0.6 < min(brightness) < 0.9
    assert 1.05 < max(brightness) < 1.4


def test_noise_has_at_most_its_deviation_and_blur_smooths():
    flat = sample()._replace(image=torch.full((3, 48, 64), 128, dtype=torch.uint8))
    deviations = [recoloured(flat, Augmentation(noise=10.0), seeded(seed)).image.float().std() for seed in range(20)]
    assert max(deviations) < 10.5
    assert max(deviations) > 6
    blurred = recoloured(sample(), Augmentation(blur=1.0), seeded(1))
    steps = [one.image.float().diff(dim=-1).abs().amax() for one in (sample(), blurred)]
    assert steps[1] < 0.8 * steps[0]


@pytest.mark.parametrize(
    ("settings", "named"),
    [(Augmentation(scale=(2.0, 1.0)), "scale"), (Augmentation(colour=2.0), "colour"), (Augmentation(blur=-1), "blur")],
)
def test_wrong_settings_are_named(settings, named):
    assert named in check_augmentation(settings)


def test_a_run_takes_them_and_workers_change_no_bit(tmp_path):
    root = two_domains(tmp_path)
    augmented = ("--recipe.augmentation.scale=[0.7,1.6]", "--recipe.augmentation.colour=0.3")
    given = [*augmented, "--recipe.joint_steps=6"]
    assert main(words(root, tmp_path / "whole", *given, method="joint")) == 0
    assert main(words(root, tmp_path / "workers", *given, "--machine.workers=2", method="joint")) == 0
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "workers")]
    assert models[0] == models[1]
    assert main(words(root, tmp_path / "wrong", "--recipe.augmentation.colour=7", method="joint")) == 1


@pytest.fixture
def numbered() -> Sample:
    """Every pixel knows its place: channel 0 is the column, channel 1 the row, the mask their sum."""
    rows, columns = torch.meshgrid(torch.arange(20), torch.arange(30), indexing="ij")
    image = torch.stack([columns, rows, torch.zeros_like(rows)]).to(torch.uint8)
    return Sample(image, (rows + columns).to(torch.uint8), "a", "rome")


def test_crop_cuts_image_and_mask_alike(numbered: Sample) -> None:
    places = set()
    random = seeded(0)
    for _ in range(300):
        crop = random_crop(numbered, (28, 19), random)
        assert crop.image.shape == (3, 19, 28)
        assert torch.equal(crop.mask, crop.image[0] + crop.image[1])
        places.add((int(crop.image[0, 0, 0]), int(crop.image[1, 0, 0])))
    assert places == {(left, top) for left in range(3) for top in range(2)}
    assert (crop.name, crop.city) == ("a", "rome")


@pytest.mark.parametrize("size", [(31, 20), (30, 21)])
def test_crop_larger_than_the_frame(numbered: Sample, size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="does not fit into frame 'a' of 30 x 20"):
        random_crop(numbered, size, seeded(0))


def test_flip_turns_image_and_mask_together_in_half_of_all_cases(numbered: Sample) -> None:
    random = seeded(0)
    turned = 0
    for _ in range(400):
        result = flip(numbered, random)
        assert torch.equal(result.mask, result.image[0] + result.image[1])
        assert torch.equal(result.image[1], numbered.image[1])
        turned += int(result.image[0, 0, 0] == 29)
    assert 150 < turned < 250
