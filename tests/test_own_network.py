"""A network of one's own from Python: trained, saved, loaded with the module, refused without or with a wrong one."""

import numpy as np
import pytest
import torch
from torch import nn

from moody import Moody
from pixda.api import UserError, load, read_scores, train
from pixda.data.classes import ClassSet
from runs import experiment_on


class Wide(nn.Module):
    """As torchvision's networks: a dict, at the image's own size."""

    def __init__(self, classes=19):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.classifier = nn.Conv2d(8, classes, 1)

    def forward(self, images):
        assert images.abs().max() < 4, "scaled by ImageNet's mean and deviation"
        return {"out": self.classifier(self.body(images)), "aux": None}


@pytest.fixture(scope="module")
def experiment(root):
    return experiment_on(root)


SMALL = {"preset": "small", "pretrain_steps": 3, "joint_steps": 3, "crop": (48, 32), "batch": 2}


def test_a_module_is_trained_and_comes_back_with_its_weights(experiment, tmp_path):
    torch.manual_seed(0)
    module = Wide()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    run = train(experiment, "joint", tmp_path / "run", network=module, new_layers=("classifier",), **SMALL)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items()), "a copy is trained"
    assert 0 <= read_scores(run).miou <= 1
    model = load(run, network=module)
    predicted = model.predict(np.zeros((48, 64, 3), np.uint8))
    assert predicted.shape == (48, 64)
    with pytest.raises(UserError, match=r"given in Python: load it with .*network="):
        load(run)
    with pytest.raises(UserError, match="cannot be read"):
        load(run, network=nn.Conv2d(3, 19, 1))


def test_a_segmenter_is_taken_as_it_is(experiment, tmp_path):
    classes = ClassSet.load("cityscapes-19")
    run = train(experiment, "joint", tmp_path / "run", network=Moody(classes), **SMALL)
    assert load(run, network=Moody(classes)).predict(np.zeros((48, 64, 3), np.uint8)).shape == (48, 64)
    with pytest.raises(UserError, match="for the classes of 'camvid-11'"):
        train(experiment, "joint", tmp_path / "other", network=Moody(ClassSet.load("camvid-11")), **SMALL)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Wide(7), r"gives \(1, 7, 32, 48\).*1 x 19 x h x w"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(19)), r"gives \(1, 19\)"),
        (nn.Conv2d(4, 19, 1), r"cannot take an image of 48 x 32 \(RuntimeError"),
    ],
)
def test_a_module_that_is_no_segmenter_is_refused_before_training(experiment, tmp_path, module, said):
    with pytest.raises(UserError, match=said):
        train(experiment, "joint", tmp_path / "run", network=module, **SMALL)
    assert not (tmp_path / "run").exists()
