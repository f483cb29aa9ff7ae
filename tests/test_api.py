"""The model in Python: arrays and paths in, class indices out, and an import that stays light."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from runs import quick_run

from pixda.api import load
from pixda.errors import UserError


def test_arrays_and_files_give_class_indices(tmp_path):
    model = load(quick_run(tmp_path))
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png")
    predicted = model.predict(image)
    assert predicted.shape == (50, 70)
    assert predicted.dtype == np.uint8
    assert predicted.max() < len(model.classes.names)
    np.testing.assert_array_equal(predicted, model.predict(tmp_path / "photo.png"))
    np.testing.assert_array_equal(predicted, model.predict(str(tmp_path / "photo.png")))
    assert model.predict(image[:, ::-1]).shape == (50, 70), "a mirrored view of an array is an array, too"
    for wrong in (image / 255, image[..., 0], image.transpose(2, 0, 1)):
        with pytest.raises(UserError, match="uint8 H x W x 3"):
            model.predict(wrong)


def test_the_package_itself_does_not_wait_for_torch():
    code = "import pixda, sys; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
