"""Style transfer against a literal transcription of the equation with full complex transforms, in float64."""

import numpy as np
import pytest
import torch

from pixda.style import stylise, stylise_, window


def literal(source: np.ndarray, target: np.ndarray, beta: float) -> np.ndarray:
    """FDA, eq. 1, one channel: swap the amplitudes of a centred square of frequencies, keep the phase."""
    height, width = source.shape
    f_source = np.fft.fftshift(np.fft.fft2(source))
    f_target = np.fft.fftshift(np.fft.fft2(target))
    amplitude, phase = np.abs(f_source), np.angle(f_source)
    b = int(np.floor(beta * min(height, width)))
    r, c = height // 2, width // 2
    here = np.s_[r - b : r + b + 1, c - b : c + b + 1]
    amplitude[here] = np.abs(f_target)[here]
    result = np.fft.ifft2(np.fft.ifftshift(amplitude * np.exp(1j * phase)))
    assert np.abs(result.imag).max() < 1e-9, "the symmetric window keeps the image real"
    return result.real


@pytest.mark.parametrize(("height", "width", "beta"), [(64, 96, 0.09), (65, 97, 0.05), (48, 31, 0.2), (40, 60, 0.01)])
def test_equals_the_literal_equation(height, width, beta):
    rng = np.random.default_rng(0)
    source, target = rng.uniform(0, 255, (2, 2, 3, height, width))
    expected = np.stack(
        [[literal(s, t, beta) for s, t in zip(*pair, strict=True)] for pair in zip(source, target, strict=True)]
    )
    result = stylise(torch.from_numpy(source), torch.from_numpy(target), beta)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("strength", [0.0, 1e-6])
def test_a_black_or_almost_black_source_is_the_literal_equation_too(strength):
    """A coefficient of zero has the phase zero; a faint one keeps its own."""
    rng = np.random.default_rng(1)
    source, target = strength * rng.uniform(0, 255, (40, 60)), rng.uniform(0, 255, (40, 60))
    expected = literal(source, target, 0.1)
    found = stylise(*(torch.from_numpy(one).expand(1, 3, 40, 60) for one in (source, target)), 0.1)
    np.testing.assert_allclose(found[0, 1].numpy(), expected, atol=1e-8)


def test_unasked_a_hundredth_of_the_frequencies_changes():
    rng = np.random.default_rng(2)
    source, target = rng.uniform(0, 255, (2, 200, 230))
    images = [torch.from_numpy(one).expand(1, 3, 200, 230).contiguous() for one in (source, target)]
    expected = literal(source, target, 0.01)
    np.testing.assert_allclose(stylise(*images)[0, 0].numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(stylise_(*images)[0, 0].numpy(), expected, atol=1e-9)


def test_float32_at_full_size_stays_within_a_thousandth_of_a_grey_level():
    torch.manual_seed(0)
    source, target = torch.rand(2, 1, 3, 512, 1024, dtype=torch.float64) * 255
    exact = stylise(source, target)
    assert (stylise(source.float(), target.float()) - exact).abs().max() < 1e-3


def test_the_window_of_the_papers_size():
    assert [window(512, 1024, beta) for beta in (0.01, 0.05, 0.09)] == [5, 25, 46]
    assert [window(height, 9, 0.9) for height in (1, 2, 3, 4, 5, 6, 7, 8)] == [0, 0, 1, 1, 2, 2, 3, 3], (
        "no beta is too big"
    )


def test_images_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        stylise(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9))


def test_in_place_the_source_becomes_the_result_and_otherwise_stays():
    torch.manual_seed(0)
    source, target = torch.rand(2, 2, 3, 40, 60) * 255
    before = source.clone()
    result = stylise(source, target, 0.1)
    assert torch.equal(source, before)
    assert stylise_(source, target, 0.1) is source
    assert torch.equal(source, result)
