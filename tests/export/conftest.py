import numpy as np
import pytest
from PIL import Image

from runs import quick_run


@pytest.fixture(scope="package")
def run(tmp_path_factory):
    return quick_run(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="package")
def photos(tmp_path_factory):
    """Three pictures with shapes in them, of unequal sizes."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number, (width, height) in enumerate([(80, 60), (64, 48), (121, 77)]):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder
