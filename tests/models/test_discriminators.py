import pytest
import torch
from torch import nn

from pixda.errors import UserError
from pixda.models import ImageDiscriminator, PixelDiscriminator
from pixda.models.discriminators import RegionNet, weighting_nets


def softmax_map(height, width, batch=1):
    return torch.softmax(torch.randn(batch, 5, height, width), 1)


def seen_by(discriminator, size, position):
    """Rows and columns of the input that one logit depends on."""
    x = torch.rand(1, 5, size, size, dtype=torch.float64, requires_grad=True)
    discriminator.double()(x)[0, 0, position, position].backward()
    touched = x.grad.abs().sum((0, 1))
    rows, columns = (touched.sum(axis).nonzero().flatten() for axis in (1, 0))
    return (rows.min().item(), rows.max().item()), (columns.min().item(), columns.max().item())


def test_pixel_discriminator_judges_every_pixel():
    assert PixelDiscriminator(5)(softmax_map(13, 17)).shape == (1, 1, 13, 17)


def test_pixel_discriminator_sees_five_by_five():
    assert seen_by(PixelDiscriminator(5), 21, 10) == ((8, 12), (8, 12))


@pytest.mark.parametrize(("size", "patches"), [((64, 128), (2, 4)), ((33, 63), (1, 1)), ((32, 32), (1, 1))])
def test_image_discriminator_judges_patches_of_32(size, patches):
    assert ImageDiscriminator(5, width=4)(softmax_map(*size)).shape[-2:] == patches


def test_image_discriminator_gives_16_x_32_at_full_size():
    with torch.device("meta"):
        assert ImageDiscriminator(19)(torch.zeros(1, 19, 512, 1024)).shape == (1, 1, 16, 32)


def test_image_discriminator_sees_94_x_94():
    # 1 + 3 * (1 + 2 + 4 + 8 + 16) pixels, around the patch.
    (top, bottom), (left, right) = seen_by(ImageDiscriminator(5, width=4), 192, 3)
    assert (bottom - top + 1, right - left + 1) == (94, 94)


def test_image_discriminator_says_what_size_it_needs():
    with pytest.raises(UserError, match=r"40 x 31 .* at least 32 x 32"):
        ImageDiscriminator(5, width=4)(softmax_map(31, 40))


def test_channels_are_those_of_the_paper():
    def channels(discriminator):
        layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        return [layer.weight.shape[0] for layer in layers]

    assert channels(PixelDiscriminator(19)) == [64, 128, 1]
    assert channels(ImageDiscriminator(19)) == [64, 128, 256, 512, 1]


def test_the_last_layer_of_the_pixel_discriminator_is_a_convolution_of_one_pixel():
    torch.manual_seed(0)
    discriminator = PixelDiscriminator(5).to(memory_format=torch.channels_last)
    torch.manual_seed(0)
    layers = [nn.Conv2d(5, 64, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 3, padding=1), nn.LeakyReLU(0.2)]
    twin = nn.Sequential(*layers, nn.Conv2d(128, 1, 1))  # draws the same first weights
    maps = softmax_map(9, 11)
    torch.testing.assert_close(discriminator(maps), twin(maps))


@pytest.mark.parametrize(
    "discriminator", [PixelDiscriminator(5), ImageDiscriminator(5, width=4), *weighting_nets(5, 5).values()]
)
def test_source_and_target_may_share_a_batch(discriminator):
    source, target = softmax_map(64, 64), softmax_map(64, 64)
    together = discriminator(torch.cat([source, target]))
    torch.testing.assert_close(together, torch.cat([discriminator(source), discriminator(target)]))


@pytest.mark.parametrize(
    "discriminator",
    [PixelDiscriminator(5), ImageDiscriminator(5, width=4), ImageDiscriminator(5, width=4, spectral=True)],
)
def test_leaves_the_map_alone(discriminator):
    x = softmax_map(64, 64)
    before = x.clone()
    discriminator(x).sum().backward()
    assert torch.equal(x, before)


def test_an_image_discriminator_of_pairs_gives_several_answers():
    assert ImageDiscriminator(10, width=4, outputs=3)(torch.rand(1, 10, 64, 96)).shape == (1, 3, 2, 3)


def test_spectral_kernels_have_a_largest_singular_value_of_one():
    discriminator = ImageDiscriminator(5, width=4, outputs=3, spectral=True)
    kernels = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert len(kernels) == 5
    for _ in range(100):  # a step of power iteration each
        discriminator(softmax_map(32, 32))
    discriminator.eval()
    for kernel in kernels:
        assert torch.linalg.matrix_norm(kernel.weight.flatten(1), 2).item() == pytest.approx(1, rel=1e-2)


@pytest.mark.parametrize("outputs", [1, 5])
def test_the_levels_speak_of_pixels_regions_and_the_image(outputs):
    nets = weighting_nets(5, outputs)
    shapes = {level: tuple(net(softmax_map(64, 96, 2)).shape) for level, net in nets.items()}
    assert shapes == {"pixel": (2, outputs, 64, 96), "region": (2, outputs, 8, 12), "image": (2, outputs, 1, 1)}


def test_a_region_of_8_is_judged_from_22():
    # 8 pixels from 32 on, and 7 more on each side.
    assert seen_by(RegionNet(5), 64, 4) == ((25, 46), (25, 46))


def test_the_image_level_is_the_mean_of_a_discriminators_patches():
    net, maps = weighting_nets(5, 1)["image"], softmax_map(128, 96)
    discriminator = ImageDiscriminator(5)
    discriminator.load_state_dict({name.removeprefix("patches."): value for name, value in net.state_dict().items()})
    patches = discriminator(maps)
    assert patches.shape[-2:] == (4, 3)
    assert net(maps).item() == pytest.approx(patches.mean().item(), rel=1e-5)
