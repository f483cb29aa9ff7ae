"""Uploads: within limits, or one sentence that names the file and not where it lies."""

import numpy as np
import pytest
import uploads
from PIL import Image

from pixda.data.files import known_formats
from pixda.errors import UserError
from pixda.predict.inputs import IMAGES, load_image
from pixda.serve import upload
from pixda.serve.upload import read_upload


@pytest.mark.parametrize("name", uploads.bad_uploads())
def test_a_bad_file_is_refused_in_a_sentence(tmp_path, name):
    data, said = uploads.bad_uploads()[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError) as refused:
        read_upload(tmp_path / name)
    assert str(refused.value).startswith(said)
    assert str(tmp_path) not in str(refused.value)


def test_a_large_file_is_refused_before_it_is_looked_into(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "BYTES", 2**20)
    (tmp_path / "large.png").write_bytes(bytes(2**20 + 1))
    with pytest.raises(UserError, match=r"large\.png is larger than 1 MB"):
        read_upload(tmp_path / "large.png")


def test_an_image_comes_as_it_is_and_a_very_large_one_smaller(tmp_path):
    picture = uploads.photo()
    picture.save(tmp_path / "photo.png")
    assert np.array_equal(read_upload(tmp_path / "photo.png").permute(1, 2, 0).numpy(), np.asarray(picture))
    Image.new("L", (7000, 3500), 77).save(tmp_path / "large.png")
    image = read_upload(tmp_path / "large.png")
    assert image.shape == (3, 1024, 2048)
    assert (image == 77).all()


@pytest.mark.parametrize("kind", known_formats())
def test_the_page_takes_every_kind_that_the_other_commands_read(tmp_path, kind):
    path = tmp_path / f"photo.{kind.lower()}"
    uploads.photo().save(path, kind)
    assert path.suffix in IMAGES
    assert abs(read_upload(path).float() - load_image(path).float()).max() == 0
