"""Dilated depthwise convolutions on interleaved grids are the convolutions they stand for."""

import pytest
import torch
from torch import nn

from pixda.models.dilated import convolution


@pytest.mark.parametrize(("height", "width"), [(8, 12), (7, 9), (2, 3), (15, 20)])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_the_plain_form(height, width, kernel, dilation, layout):
    torch.manual_seed(0)
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(6, 6, kernel, 1, padding, dilation, groups=6).double()
    x = torch.randn(2, 6, height, width).double().contiguous(memory_format=layout).requires_grad_()
    slope = torch.randn(2, 6, height, width).double()
    expected = conv(x)
    wanted = torch.autograd.grad(expected, [x, conv.weight, conv.bias], slope)
    out = convolution(conv, x, conv.weight, conv.bias)
    torch.testing.assert_close(out, expected)
    for mine, theirs in zip(torch.autograd.grad(out, [x, conv.weight, conv.bias], slope), wanted, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 8, 3, padding=2, dilation=2),  # not depthwise
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, stride=2, groups=4),
        nn.Conv2d(4, 4, 3, padding=1, dilation=2, groups=4),  # another size
        nn.Conv2d(4, 8, 3, padding=2, dilation=2, groups=4),  # two outputs a channel
    ],
)
def test_other_convolutions_are_left_as_they_are(conv):
    x = torch.randn(2, 4, 10, 10)
    assert torch.equal(convolution(conv, x, conv.weight, conv.bias), conv(x))
