"""FSDA: the written objective in one graph, what its discriminators learn of, a previous batch that survives a stop."""

import copy

import pytest
import torch

import making
from descent import assert_descends, gradients_of, heads_of
from pixda.data.domains import StepBatch
from pixda.losses.adversarial import discriminator_loss, fool_loss
from pixda.losses.pairing import pair_loss, pairing_discriminator_loss, without_easy_pixels
from pixda.losses.segmentation import cross_entropy
from pixda.models.deeplab import DeepLabV2, DilatedSum, ResNet
from pixda.phases.pairing import Pairing


@pytest.fixture
def make(context):
    def build():
        phase = making.make(Pairing, context)
        # As it starts, the auxiliary head is sure of nothing, and the filter would have nothing to do.
        torch.nn.init.normal_(phase.segmenter.module.auxiliary.branches[0].weight, 0, 0.3)
        return phase

    return build


@pytest.fixture
def pairs(pair):
    """Four different pairs."""
    return [
        StepBatch(*(one._replace(images=(one.images + 20 * k) % 256) for one in (pair.source, pair.target)))
        for k in range(4)
    ]


def freeze_kernels(phase):
    """Outside of training a spectral norm stands still, so that a discriminator is one function throughout a step."""
    phase.pair_discriminator.module.eval()
    phase.domain_discriminator.module.eval()


def written(phase, now, before):
    """The objective of the segmenter as the released code adds it up, in one graph."""
    d1, d2 = phase.pair_discriminator.module, phase.domain_discriminator.module
    total, kept = 0.0, []
    for batch in (now.source, now.target):
        main, auxiliary = heads_of(phase, batch)
        labels = without_easy_pixels(batch.masks, auxiliary, 0.4)
        kept.append(float((labels != 255).float().mean()))
        total = total + cross_entropy(main, labels) + 0.3 * cross_entropy(auxiliary, batch.masks)
    assert all(0.02 < share < 0.9 for share in kept), f"the filter must keep some pixels and drop others: {kept}"
    s, t, t_old = ([one.exp() for one in heads_of(phase, b)] for b in (now.source, now.target, before.target))
    for weight, one_s, one_t, one_t_old in zip((0.9, 0.6), s, t, t_old, strict=True):
        total = total + weight * pair_loss(d1(torch.cat([one_t, one_t_old], 1)), 1.0)
        total = total + weight * 2 * pair_loss(d1(torch.cat([one_t, one_s], 1)), 1.0)
        total = total + weight * fool_loss(d2(one_t))
    return total


@pytest.mark.parametrize("network", ["tiny", "deeplab"])
def test_the_step_descends_the_written_objective(context, make, pairs, classes, network):
    """Through all three maps that have a gradient, each in a pass of its own; with batch norm on batches too."""
    if network == "deeplab":
        torch.manual_seed(1)
        context.segmenter = DeepLabV2(ResNet((1, 1, 1, 1), width=4), DilatedSum(128, 4), classes, "imagenet")
        for module in context.segmenter.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.normal_(module.weight, 0, 0.1)
    phase = make()
    freeze_kernels(phase)
    phase.previous = pairs[0]
    assert_descends(phase, lambda: written(phase, pairs[1], pairs[0]), lambda: phase.step(pairs[1]), 1e-5)


def test_the_discriminators_learn_of_both_heads_and_nothing_from_the_segmenters_step(make, pairs):
    phase = make()
    freeze_kernels(phase)
    phase.previous = pairs[0]
    d1, d2 = phase.pair_discriminator.module, phase.domain_discriminator.module
    with torch.no_grad():
        s, t, s_old, t_old = (
            [one.exp() for one in heads_of(phase, b)]
            for b in (pairs[1].source, pairs[1].target, pairs[0].source, pairs[0].target)
        )
    of_pairs, of_domains = 0.0, 0.0
    for one_s, one_t, one_s_old, one_t_old in zip(s, t, s_old, t_old, strict=True):
        mixed = [d1(torch.cat([one_s_old, one_t], 1)), d1(torch.cat([one_s, one_t_old], 1))]
        of_pairs = of_pairs + pairing_discriminator_loss(
            d1(torch.cat([one_s, one_s_old], 1)), torch.cat(mixed), d1(torch.cat([one_t_old, one_t], 1))
        )
        of_domains = of_domains + discriminator_loss(d2(one_s), d2(one_t))
    slopes = {
        "pair_discriminator": torch.autograd.grad(of_pairs, list(d1.parameters())),
        "domain_discriminator": torch.autograd.grad(of_domains, list(d2.parameters())),
    }
    found, losses = {}, {}

    def step():
        learn = lambda: losses.update(phase.step(pairs[1]))  # noqa: E731
        found["domain_discriminator"] = gradients_of(phase.domain_discriminator, learn)

    found["pair_discriminator"] = gradients_of(phase.pair_discriminator, step)
    for name, total in (("pair_discriminator", of_pairs), ("domain_discriminator", of_domains)):
        torch.testing.assert_close(losses[name] + losses[f"auxiliary_{name}"], total.detach())
    for name, gradients in found.items():
        torch.testing.assert_close(list(gradients.values()), list(slopes[name]), rtol=1e-3, atol=1e-6)


def test_the_discriminators_are_those_of_the_released_script(make):
    phase = make()
    maps = torch.rand(1, 4, 32, 64).softmax(1)
    assert phase.pair_discriminator(torch.cat([maps, maps], 1)).shape == (1, 3, 1, 2)
    assert phase.domain_discriminator(maps).shape == (1, 3, 1, 2)
    names = [name for name, _ in phase.pair_discriminator.module.named_parameters()]
    assert sum(name.endswith("weight.original") for name in names) == 5, "spectral norm on every kernel"


def test_the_first_step_takes_itself_for_the_one_before(make, pairs):
    phase = make()
    freeze_kernels(phase)
    assert_descends(phase, lambda: written(phase, pairs[0], pairs[0]), lambda: phase.step(pairs[0]))
    assert phase.previous is pairs[0]


def test_stopped_anywhere_and_reloaded_it_ends_in_the_same_bits(make, context, pairs):
    """Two epochs of two pairs, saved after each step but the last: in an epoch, at its end, in the next one."""
    context.domains.source_and_target = lambda names, batch, phase, epoch, skip: iter(
        pairs[2 * epoch : 2 * epoch + 2][skip:]
    )

    def run(phase, epoch, skip):
        """What there is to save after each step, as the loop would: where it stands, and the trainees."""
        saved = []
        for number in range(epoch, 2):
            for batch, one in enumerate(phase.batches(number, skip), skip + 1):
                phase.step(one)
                trainees = {name: copy.deepcopy(trainee.state_dict()) for name, trainee in phase.trainees().items()}
                saved.append((number, batch, trainees))
            skip = 0
        return saved

    *stops, (_, _, wanted) = run(make(), 0, 0)
    assert [(epoch, batch) for epoch, batch, _ in stops] == [(0, 1), (0, 2), (1, 1)]
    for epoch, batch, trainees in stops:
        again = make()
        assert again.state_dict() == {}
        for name, trainee in again.trainees().items():
            trainee.load_state_dict(trainees[name])
        *_, (_, _, ended) = run(again, epoch, batch)
        for name, state in ended.items():
            for key, value in state["network"].items():
                assert torch.equal(value, wanted[name]["network"][key]), (epoch, batch, name, key)
