import pytest
import torch

from pixda.errors import UserError
from pixda.models.discriminators import ImageDiscriminator, RegionNet, weighting_nets


def softmax_map(height, width, batch=1):
    return torch.softmax(torch.randn(batch, 5, height, width), 1)


@pytest.mark.parametrize("outputs", [1, 5])
def test_the_levels_speak_of_pixels_regions_and_the_image(outputs):
    nets = weighting_nets(5, outputs)
    shapes = {level: tuple(net(softmax_map(64, 96, 2)).shape) for level, net in nets.items()}
    assert shapes == {"pixel": (2, outputs, 64, 96), "region": (2, outputs, 8, 12), "image": (2, outputs, 1, 1)}


def test_a_region_of_8_is_judged_from_22():
    x = torch.rand(1, 5, 64, 64, dtype=torch.float64, requires_grad=True)
    RegionNet(5).double()(x)[0, 0, 4, 4].backward()
    rows, columns = (x.grad.abs().sum((0, 1)).sum(axis).nonzero().flatten() for axis in (1, 0))
    # 8 pixels from 32 on, and 7 more on each side.
    assert (rows.min().item(), rows.max().item()) == (25, 46)
    assert (columns.min().item(), columns.max().item()) == (25, 46)


def test_the_image_level_is_the_mean_of_a_discriminators_patches():
    net, maps = weighting_nets(5, 1)["image"], softmax_map(128, 96)
    discriminator = ImageDiscriminator(5)
    discriminator.load_state_dict({name.removeprefix("patches."): value for name, value in net.state_dict().items()})
    patches = discriminator(maps)
    assert patches.shape[-2:] == (4, 3)
    assert net(maps).item() == pytest.approx(patches.mean().item(), rel=1e-5)


def test_small_images_are_refused():
    with pytest.raises(UserError, match="at least 32 x 32"):
        weighting_nets(5, 1)["image"](softmax_map(31, 40))


@pytest.mark.parametrize("level", ["pixel", "region", "image"])
def test_source_and_target_may_share_a_batch(level):
    net, source, target = weighting_nets(5, 5)[level], softmax_map(64, 64), softmax_map(64, 64)
    torch.testing.assert_close(net(torch.cat([source, target])), torch.cat([net(source), net(target)]))
