"""Convolutions with a folded norm or on interleaved grids give the values and gradients of the plain ones."""

import pytest
import torch
from torch import nn

from pixda.models.layers import BatchNorm, convolution, convolved


@pytest.mark.parametrize(("height", "width"), [(7, 9), (2, 3), (15, 20)])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (3, 2), (3, 3), (5, 2)])
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


@pytest.mark.parametrize("groups", [1, 6])
def test_a_frozen_norm_inside_the_kernel_is_the_norm_of_the_convolution(groups):
    """Values, and the gradients of the image, the kernel, the scale and the shift."""
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 12, 3, stride=2, padding=2, dilation=2, groups=groups, bias=False).double()
    norm = BatchNorm(12, frozen_statistics=True).double()
    for tensor in (norm.running_var, norm.weight, norm.bias, norm.running_mean):
        nn.init.uniform_(tensor, 0.5, 2.0)
    x = torch.randn(2, 6, 9, 11, dtype=torch.float64, requires_grad=True)
    learned = [x, conv.weight, norm.weight, norm.bias]
    results = [convolved(conv, norm, x), norm(conv(x))]
    torch.testing.assert_close(*results)
    slopes = [torch.autograd.grad(one.square().sum(), learned) for one in results]
    torch.testing.assert_close(*slopes)
