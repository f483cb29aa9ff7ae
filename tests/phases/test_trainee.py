"""Trainee: the schedule, accumulated gradients, and a state that goes on exactly."""

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import SGD

from pixda.models.discriminators import PixelDiscriminator
from pixda.phases.settings import SegmenterOptimiser
from pixda.phases.trainee import Trainee, poly


def make(momentum=0.9):
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    return Trainee(
        Fabric(accelerator="cpu"),
        network,
        SGD(network.parameters(), 0.1, momentum=momentum),
        SegmenterOptimiser(horizon=10, power=0.9),
    )


def test_poly_is_the_written_decay_and_stays_at_zero_past_the_horizon():
    assert poly(0, 62500, 0.9) == 1
    assert poly(6250, 62500, 0.9) == pytest.approx(0.9**0.9)
    assert [poly(step, 10, 0.9) for step in (10, 11, 1000)] == [0, 0, 0]
    assert all(isinstance(poly(step, 10, 0.9), float) for step in range(20)), "never complex"


def test_the_rate_follows_the_schedule():
    trainee = make()
    rates = []
    for _ in range(12):
        rates.append(trainee.rate)
        trainee.backward(trainee(torch.ones(1, 3)).sum())
        trainee.step()
    assert rates == pytest.approx([0.1 * max(0, 1 - step / 10) ** 0.9 for step in range(12)])


def test_past_the_horizon_nothing_moves():
    trainee = make()
    for _ in range(10):
        trainee.backward(trainee(torch.ones(1, 3)).sum())
        trainee.step()
    before = trainee.module.weight.clone()
    trainee.backward(trainee(torch.ones(1, 3)).sum())
    trainee.step()
    assert torch.equal(before, trainee.module.weight)


def test_accumulated_losses_count_as_their_sum():
    one, other = make(), make()
    x, y = torch.randn(2, 1, 3)
    one.backward(one(x).sum())
    one.backward(one(y).square().sum())
    one.step()
    other.backward(other(x).sum() + other(y).square().sum())
    other.step()
    torch.testing.assert_close(one.module.weight, other.module.weight)


def test_frozen_gives_the_parameters_their_gradients_back_even_after_an_error():
    trainee = make()
    with pytest.raises(RuntimeError):
        trainee.frozen(torch.ones(1, 7))
    assert all(p.requires_grad for p in trainee.module.parameters())


def test_a_reloaded_trainee_goes_on_to_the_last_bit():
    straight, stopped = make(), make()
    inputs = torch.randn(6, 1, 3)
    for x in inputs:
        straight.backward(straight(x).square().sum())
        straight.step()
    for x in inputs[:3]:
        stopped.backward(stopped(x).square().sum())
        stopped.step()
    again = make()
    again.load_state_dict(stopped.state_dict())
    for x in inputs[3:]:
        again.backward(again(x).square().sum())
        again.step()
    assert torch.equal(straight.module.weight, again.module.weight)
    assert again.steps == 6


def test_one_pass_judges_and_learns_as_two_would_to_the_last_bit():
    torch.manual_seed(0)
    # In the layout that training gives it: in the other one some processors take another kernel for one gradient alone.
    network = PixelDiscriminator(3).to(memory_format=torch.channels_last)
    discriminator = Trainee(Fabric(accelerator="cpu"), network, SGD(network.parameters(), 0.1), SegmenterOptimiser())
    maps = torch.rand(2, 3, 9, 11).softmax(1).requires_grad_()

    def losses(as_judge, as_learner):
        (slope,) = torch.autograd.grad((as_judge.sigmoid() ** 2).sum(), maps)
        discriminator.backward(as_learner.sigmoid().log().mean())
        gradients = [slope, *(p.grad.clone() for p in network.parameters())]
        network.zero_grad()
        return gradients

    twice = losses(discriminator.frozen(maps), discriminator(maps.detach()))
    once = losses(*discriminator.frozen_and_own(maps))
    assert all(torch.equal(a, b) for a, b in zip(once, twice, strict=True))


def test_a_step_after_a_pass_that_said_another_one_follows_is_a_mistake_of_the_phase():
    """Of several processes, each would step down its own gradient."""
    trainee = make()
    trainee.backward(trainee(torch.ones(1, 3), more=True).sum())
    with pytest.raises(ValueError, match="the last pass before a step"):
        trainee.step()
