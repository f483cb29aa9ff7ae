"""What a network is for decides its mode: who learns is in train mode, who judges is in eval mode."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image

from descent import assert_descends
from making import make
from moody import Moody
from pixda.data.folder import Folder
from pixda.evaluation import evaluate
from pixda.models.upsampling import upsample
from pixda.phases.adversarial import Adversarial
from pixda.phases.distillation import Distillation
from pixda.phases.settings import DistillationSettings as Settings
from pixda.phases.settings import Selection


@pytest.fixture
def moody(context, classes):
    torch.manual_seed(0)
    context.segmenter = Moody(classes)
    with torch.no_grad():  # statistics that are not those of any batch here
        context.segmenter.backbone[1].running_mean.uniform_(-1, 1)
        context.segmenter.backbone[1].running_var.uniform_(0.5, 2)
    return context


def moved(module, seed):
    with torch.no_grad():
        for parameter in module.parameters():
            generator = torch.Generator().manual_seed(seed)
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("over_classes", ["sum", "mean"])
@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_a_step_of_distillation_is_the_written_one_with_a_teacher_that_is_not_the_student(
    moody, pair, weight, over_classes
):
    """``L_seg + lambda_kd L_kd``, eq. 9 pixel by pixel, the teacher in eval mode, the student in train mode."""
    settings = Settings(steps=5, weight=weight, temperature=0.7, over_classes=over_classes)
    phase = make(Distillation, moody, distillation=settings)
    moved(phase.segmenter.module, 3)
    student = phase.segmenter.module
    assert student.training
    images, masks = pair.target.images, pair.target.masks
    judging = copy.deepcopy(phase.teacher).eval()
    with torch.no_grad():
        soft = (upsample(judging(images), masks.shape[-2:]) / 0.7).softmax(1)

    def objective():
        torch.manual_seed(8)
        scores = upsample(student(images), masks.shape[-2:])
        kd = -(soft * scores.log_softmax(1)).sum(1).mean()
        return phase.segmentation(scores, masks) + weight * (kd if over_classes == "sum" else kd / 4)

    def step():
        torch.manual_seed(8)  # the same dropout
        return phase.step(pair)

    losses = assert_descends(phase, objective, step, atol=1e-5)
    assert set(losses) == {"target", "distillation"}
    assert float(losses["target"]) > 0


def test_selection_judges_in_eval_mode_and_training_goes_on(moody, pair):
    phase = make(Adversarial, moody, selection=Selection(delta=-1.0), style_beta=0.0)
    modes = []
    phase.segmenter.module.backbone[1].register_forward_hook(lambda norm, *_: modes.append(norm.training))
    before = copy.deepcopy(phase.segmenter.module.backbone[1].running_mean)
    phase.selector.select(1, phase.maps)
    assert modes
    assert not any(modes)
    assert torch.equal(before, phase.segmenter.module.backbone[1].running_mean)
    assert phase.segmenter.module.training
    phase.step(pair)
    assert modes[-1]


def test_scoring_is_in_eval_mode_whatever_the_network_was_in(tmp_path, classes):
    folder(tmp_path)
    segmenter = Moody(classes)
    fabric = Fabric(accelerator="cpu", devices=1)
    dataset = Folder(tmp_path, "all", classes, scheme="own")
    tables = []
    for mode in (True, False):
        segmenter.train(mode)
        before = copy.deepcopy(segmenter.state_dict())
        tables.append(evaluate(segmenter, dataset, (48, 32), fabric).counts)
        assert segmenter.training is mode
        assert all(torch.equal(value, segmenter.state_dict()[name]) for name, value in before.items())
    assert torch.equal(*tables)


def folder(root: Path):
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (root / kind).mkdir()
    for number in range(3):
        Image.fromarray(rng.integers(0, 255, (32, 48, 3), np.uint8)).save(root / f"images/{number}.png")
        Image.fromarray(rng.integers(0, 4, (32, 48), np.uint8)).save(root / f"masks/{number}.png")
