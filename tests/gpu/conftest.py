"""Tests here need a GPU: `pytest -m gpu tests/gpu`. PIXDA_GPU_TESTS_ON=cpu tries them on a processor."""

import os

import pytest
import torch


@pytest.fixture(scope="session")
def device():
    wanted = os.environ.get("PIXDA_GPU_TESTS_ON", "cuda")
    if wanted == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU is visible here")
    return torch.device(wanted)


@pytest.fixture(autouse=True)
def exact_float32():
    """TF32 off: what is compared with float64 has float32's precision."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
