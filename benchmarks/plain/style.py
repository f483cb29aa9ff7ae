"""Style transfer, plainly: numpy's transforms of whole images, amplitude and phase apart, an image at a time."""

import numpy as np
import torch
from torch import Tensor


def stylise(source: Tensor, target: Tensor, beta: float) -> Tensor:
    """FDA, eq. 1, on float ``B x 3 x H x W``."""
    styled = [one_image(s.cpu().numpy(), t.cpu().numpy(), beta) for s, t in zip(source, target, strict=True)]
    return torch.from_numpy(np.stack(styled)).to(source)


def one_image(source: np.ndarray, target: np.ndarray, beta: float) -> np.ndarray:
    """The amplitudes of the centred square of low frequencies come from the target, the phases stay; ``3 x H x W``."""
    of_source, of_target = np.fft.fft2(source, axes=(-2, -1)), np.fft.fft2(target, axes=(-2, -1))
    amplitude, phase = np.abs(of_source), np.angle(of_source)
    centred = np.fft.fftshift(amplitude, axes=(-2, -1))
    from_target = np.fft.fftshift(np.abs(of_target), axes=(-2, -1))
    height, width = source.shape[-2:]
    b = int(np.floor(min(height, width) * beta))
    row, column = height // 2, width // 2
    square = np.s_[:, row - b : row + b + 1, column - b : column + b + 1]
    centred[square] = from_target[square]
    amplitude = np.fft.ifftshift(centred, axes=(-2, -1))
    result: np.ndarray = np.real(np.fft.ifft2(amplitude * np.exp(1j * phase), axes=(-2, -1)))
    return result
