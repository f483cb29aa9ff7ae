"""What a phase says of itself, which a report believes, and what holds for every step."""

import pytest
import torch

from making import SETTINGS, make
from pixda.methods import METHODS, build


@pytest.mark.parametrize("method", METHODS)
def test_a_phase_names_what_learns_beside_the_segmenter(context, method):
    assert build(method).title
    context.domains.seed = 0
    for phase in build(method, "small").phases():
        assert phase.about.endswith(".")
        phase.prepare(context, None)
        others = [name for name in phase.trainees() if not name.startswith("segmenter")]
        assert all(name.startswith(phase.discriminators) for name in others), f"{phase.name}: {others}"
        assert bool(others) == bool(phase.discriminators)


@pytest.mark.parametrize("kind", SETTINGS)
def test_in_a_step_every_weight_of_every_network_learns(context, trio, kind):
    context.domains.seed = 0
    phase = make(kind, context)
    weights = [
        (f"{name}: {key}", parameter, parameter.detach().clone())
        for name, trainee in phase.trainees().items()
        for key, parameter in trainee.module.named_parameters()
        if parameter.requires_grad
    ]
    losses = phase.step(trio)
    assert [name for name, parameter, before in weights if torch.equal(parameter, before)] == []
    assert all(value.isfinite() and not value.requires_grad for value in losses.values())
