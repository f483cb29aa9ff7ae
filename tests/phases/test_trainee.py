"""Trainee: the schedule, accumulated gradients, and a state that goes on exactly."""

import math

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import SGD, AdamW

from pixda.models.discriminators import PixelDiscriminator
from pixda.phases.released_sgd import ReleasedSGD
from pixda.phases.settings import DiscriminatorOptimiser, SegmenterOptimiser
from pixda.phases.trainee import Trainee, discriminator_step, discriminator_trainee, poly, segmenter_trainee


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


def test_at_first_nothing_is_done_and_a_step_needs_no_pass():
    trainee = make()
    assert (trainee.steps, trainee.skipped) == (0, False)
    before = trainee.module.weight.clone()
    trainee.step()
    assert torch.equal(trainee.module.weight, before), "no gradient, no change"
    assert trainee.steps == 1


def test_each_group_of_weights_decays_from_a_rate_of_its_own_and_past_the_horizon_nothing_moves():
    network = nn.Linear(1, 1)
    groups = [{"params": [network.weight], "lr": 0.1}, {"params": [network.bias], "lr": 1.0}]
    trainee = Trainee(Fabric(accelerator="cpu"), network, SGD(groups), SegmenterOptimiser(horizon=10, power=0.9))
    moved = []
    for _ in range(12):
        before = [network.weight.item(), network.bias.item()]
        rate = trainee.rate
        trainee.backward(trainee(torch.ones(1, 1)).sum())
        trainee.step()
        moved.append([before[0] - network.weight.item(), before[1] - network.bias.item()])
        assert rate == pytest.approx(moved[-1][0], rel=1e-4, abs=1e-7), "the first group's"
    rates = [max(0, 1 - step / 10) ** 0.9 for step in range(12)]
    assert moved == [pytest.approx([0.1 * rate, rate], rel=1e-4, abs=1e-7) for rate in rates]


def test_frozen_sends_gradients_to_the_images_alone():
    trainee = make()
    images = torch.randn(2, 3, requires_grad=True)
    trainee.frozen(images).sum().backward()
    torch.testing.assert_close(images.grad, trainee.module.weight.detach().sum(0).expand(2, 3))
    assert all(p.grad is None for p in trainee.module.parameters())


def test_frozen_leaves_every_weight_as_free_as_it_was_even_after_an_error():
    trainee = make()
    trainee.module.bias.requires_grad_(False)
    with pytest.raises(RuntimeError):
        trainee.frozen(torch.ones(1, 7))
    trainee.frozen(torch.ones(1, 3))
    assert [p.requires_grad for p in trainee.module.parameters()] == [True, False]


def normed():
    """A network with statistics and a part without gradients."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    network[1].bias.requires_grad_(False)
    trainee = Trainee(Fabric(accelerator="cpu"), network, SGD(network.parameters(), 0.1), SegmenterOptimiser())
    trainee.skip_not_finite_steps()
    return trainee


def learn(trainee, factor=1.0):
    trainee.backward((factor * trainee(torch.randn(4, 3) + 2)).square().sum())
    trainee.step()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_is_left_out_with_its_statistics(bad):
    trainee = normed()
    learn(trainee)
    assert not trainee.skipped
    good = {name: value.clone() for name, value in trainee.module.state_dict().items()}
    assert good["0.num_batches_tracked"] == 1, "a good step keeps its statistics"
    for steps in (2, 3):
        learn(trainee, bad)
        assert trainee.skipped
        assert trainee.steps == steps
        assert all(torch.equal(value, good[name]) for name, value in trainee.module.state_dict().items())
    learn(trainee)
    assert not trainee.skipped
    assert not torch.equal(trainee.module[1].weight, good["1.weight"])
    assert trainee.module[0].num_batches_tracked == 2
    assert trainee.is_finite()


def test_one_number_that_is_not_finite_makes_a_network_so():
    trainee = normed()
    assert trainee.is_finite()
    trainee.module[0].running_var[1] = float("inf")
    assert not trainee.is_finite()


def test_unasked_a_step_that_is_not_finite_is_taken():
    trainee = make()
    trainee.backward(trainee(torch.ones(1, 3)).sum() * float("nan"))
    trainee.step()
    assert not trainee.skipped
    assert not trainee.is_finite()


def test_a_schedule_without_a_horizon_is_a_mistake_of_the_method():
    network = nn.Linear(3, 2)
    with pytest.raises(ValueError, match="needs its horizon"):
        Trainee(Fabric(accelerator="cpu"), network, SGD(network.parameters(), 0.1), SegmenterOptimiser(horizon=None))


@pytest.mark.parametrize(
    ("kind", "updates", "made"), [("sgd", "once", SGD), ("sgd", "as_released", ReleasedSGD), ("adamw", "once", AdamW)]
)
def test_the_optimiser_is_of_the_kind_that_was_asked_for(context, kind, updates, made):
    rates = {"lr": 2e-3, "head_lr_factor": 4, "momentum": 0.7, "weight_decay": 0.01}
    settings = SegmenterOptimiser(kind=kind, updates=updates, horizon=10, **rates)
    trainee = segmenter_trainee(context.fabric, context.segmenter, settings)
    assert type(trainee._optimiser.optimizer) is made
    for group in trainee._optimiser.param_groups:
        assert group["weight_decay"] == 0.01
        assert group.get("momentum", 0.7) == 0.7
    assert [group["lr"] for group in trainee._optimiser.param_groups] == [2e-3, 8e-3]
    assert trainee.rate == 2e-3


def test_discriminators_learn_with_adam_as_the_settings_say():
    settings = DiscriminatorOptimiser(lr=3e-4, beta1=0.7, beta2=0.8)
    made = discriminator_trainee(Fabric(accelerator="cpu"), nn.Conv2d(3, 1, 1), settings, SegmenterOptimiser())
    assert {(group["lr"], group["betas"]) for group in made._optimiser.param_groups} == {(3e-4, (0.7, 0.8))}


def softplus(z):
    return math.log(1 + math.exp(z))


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_discriminators_step_tells_its_loss_and_its_accuracy_and_descends(share):
    """1/2 share mean softplus(z_source) + 1/2 mean softplus(-z_target); right are z < 0 and z > 0, domains alike."""
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(1.0)
    settings, schedule = DiscriminatorOptimiser(lr=1e-2), SegmenterOptimiser(horizon=10)
    discriminator = discriminator_trainee(Fabric(accelerator="cpu"), network, settings, schedule)
    maps = torch.tensor([[-2.0], [-0.5], [0.0], [0.4], [0.0], [0.5], [-3.0]])
    of_source, of_target = discriminator(maps).tensor_split([4])
    told = discriminator_step("judge", discriminator, of_source, of_target, share)
    source = sum(softplus(z) for z in (-2.0, -0.5, 0.0, 0.4)) / 4
    target = sum(softplus(-z) for z in (0.0, 0.5, -3.0)) / 3
    assert set(told) == {"judge", "judge_accuracy"}
    assert told["judge"].item() == pytest.approx(0.5 * share * source + 0.5 * target, rel=1e-6)
    assert told["judge_accuracy"].item() == pytest.approx((share * 2 / 4 + 1 / 3) / 2, rel=1e-6)
    assert not any(value.requires_grad for value in told.values())
    assert discriminator.steps == 1
    # Adam's first step is its rate, against the gradient: sum of sigmoid(z) z / 4 and of -sigmoid(-z) z / 3.
    slope = share * sum(z / (1 + math.exp(-z)) for z in (-2.0, -0.5, 0.4)) / 4
    slope -= sum(z / (1 + math.exp(z)) for z in (0.5, -3.0)) / 3
    assert network.weight.item() == pytest.approx(1 - math.copysign(1e-2, slope), rel=1e-6)
