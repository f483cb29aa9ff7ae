"""Upsampling against the definition of bilinear interpolation, in float64."""

import pytest
import torch

from pixda.models.upsampling import upsample


def literal(logits, size):
    """Each value from its four neighbours; the corners of both grids lie on one another."""
    batch, classes, height, width = logits.shape
    rows = []
    for row in range(size[0]):
        y = row * (height - 1) / (size[0] - 1) if size[0] > 1 else 0.0
        top = min(int(y), height - 2) if height > 1 else 0
        columns = []
        for column in range(size[1]):
            x = column * (width - 1) / (size[1] - 1) if size[1] > 1 else 0.0
            left = min(int(x), width - 2) if width > 1 else 0
            value = torch.zeros(batch, classes, dtype=logits.dtype)
            for j, share_y in ((top, 1 - (y - top)), (top + 1, y - top)):
                for i, share_x in ((left, 1 - (x - left)), (left + 1, x - left)):
                    if j < height and i < width:
                        value = value + share_y * share_x * logits[:, :, j, i]
            columns.append(value)
        rows.append(torch.stack(columns, -1))
    return torch.stack(rows, -2)


@pytest.mark.parametrize("size", [(9, 17), (5, 7), (3, 4), (2, 3), (1, 6)])
def test_values_and_gradients_are_bilinear(size):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(2, 3, 3, 4, generator=generator, dtype=torch.float64)
    slope = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64)
    exact = coarse.clone().requires_grad_()
    literal(exact, size).backward(slope)
    found = coarse.float().contiguous(memory_format=torch.channels_last).requires_grad_()
    raised = upsample(found, size)
    raised.backward(slope.float())
    torch.testing.assert_close(raised.double(), literal(coarse, size), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.grad.double(), exact.grad, rtol=1e-5, atol=1e-5)


def test_without_a_gradient_the_values_are_the_same():
    coarse = torch.randn(1, 3, 4, 5, requires_grad=True)
    with torch.no_grad():
        assert torch.equal(upsample(coarse, (9, 11)), upsample(coarse.detach(), (9, 11)))
    assert torch.equal(upsample(coarse, (9, 11)), upsample(coarse.detach(), (9, 11)))
