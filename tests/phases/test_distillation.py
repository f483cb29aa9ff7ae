"""The last phase: the teacher stands still, the optimiser goes on."""

import torch

from pixda.losses.distillation import distillation_loss
from pixda.phases.distillation import Distillation
from pixda.phases.settings import DistillationSettings as Settings
from pixda.phases.supervised import Supervised


def test_the_teacher_is_a_frozen_copy_in_eval_mode(context, pair, sgd, focal):
    phase = Distillation(name="distil", steps=5, batch=2, optimiser=sgd, loss=focal, distillation=Settings(steps=5))
    phase.prepare(context, None)
    before = {name: value.clone() for name, value in phase.teacher.state_dict().items()}
    student = [p.detach().clone() for p in context.segmenter.parameters()]
    for _ in range(3):
        phase.step(pair)
    assert not phase.teacher.training
    assert not any(p.requires_grad for p in phase.teacher.parameters())
    assert all(torch.equal(value, phase.teacher.state_dict()[name]) for name, value in before.items())
    assert not all(torch.equal(p, q) for p, q in zip(context.segmenter.parameters(), student, strict=True))


def test_the_loss_is_segmentation_and_distillation_against_the_network_as_it_stood(context, pair, sgd, focal):
    phase = Distillation(
        name="distil",
        steps=5,
        batch=2,
        optimiser=sgd,
        loss=focal,
        distillation=Settings(steps=5, weight=0.5, temperature=0.5),
    )
    phase.prepare(context, None)
    with torch.no_grad():
        logits = torch.nn.functional.interpolate(
            context.segmenter(pair.target.images), size=(32, 48), mode="bilinear", align_corners=True
        )
    losses = phase.step(pair)
    expected = distillation_loss(logits.log_softmax(1), logits, 0.5, "sum")
    torch.testing.assert_close(losses["distillation"], expected)


def test_the_optimiser_and_its_decay_go_on_from_the_phase_before(context, pair, sgd, focal):
    before = Supervised(name="joint", on="both", steps=5, batch=2, optimiser=sgd, loss=focal)
    before.prepare(context, None)
    before.step(pair)
    before.step(pair)
    phase = Distillation(name="distil", steps=5, batch=2, optimiser=sgd, loss=focal, distillation=Settings(steps=5))
    phase.prepare(context, before.segmenter)
    assert phase.segmenter is before.segmenter
    assert phase.segmenter.steps == 2


def test_the_teacher_survives_in_the_state(context, pair, sgd, focal):
    phase = Distillation(name="distil", steps=5, batch=2, optimiser=sgd, loss=focal, distillation=Settings(steps=5))
    phase.prepare(context, None)
    state = {name: value.clone() for name, value in phase.state_dict()["teacher"].items()}
    for _ in range(2):
        phase.step(pair)
    again = Distillation(name="distil", steps=5, batch=2, optimiser=sgd, loss=focal, distillation=Settings(steps=5))
    again.prepare(context, None)  # its teacher is now a copy of the moved student
    again.load_state_dict({"teacher": state})
    assert all(torch.equal(value, again.teacher.state_dict()[name]) for name, value in state.items())
