import pytest
import torch

from pixda.errors import UserError
from pixda.models.normalise import Normalise

IMAGES = torch.rand(2, 3, 5, 7) * 255


def test_caffe_is_bgr_minus_the_bgr_mean():
    red, green, blue = IMAGES.unbind(1)
    expected = torch.stack([blue - 104.00698793, green - 116.66876762, red - 122.67891434], dim=1)
    torch.testing.assert_close(Normalise("caffe")(IMAGES), expected)


def test_imagenet_is_torchvisions_on_a_0_to_255_scale():
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    torch.testing.assert_close(Normalise("imagenet")(IMAGES), (IMAGES / 255 - mean) / std)


def test_unknown_name_lists_the_choices():
    with pytest.raises(UserError, match="caffe, imagenet, efficientnet, symmetric"):
        Normalise("none")
