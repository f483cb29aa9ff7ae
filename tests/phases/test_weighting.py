"""The NAAE-style phase: what the segmenter descends, and whose gradients reach whom."""

import pytest
import torch

import making
from descent import assert_descends, weights_of
from pixda.errors import UserError
from pixda.losses.adversarial import discriminator_loss, fool_loss
from pixda.losses.weighting import realism, weighted_cross_entropy, weighting_loss
from pixda.models import build_segmenter
from pixda.models.upsampling import upsample
from pixda.phases.settings import WeightingSettings as Settings
from pixda.phases.weighting import Weighting


@pytest.fixture
def make(context):
    return lambda **settings: making.make(Weighting, context, weighting=Settings(**settings))


def large_enough(pair, at):
    """Images whose logits, at a quarter of their size, still fill an image discriminator that sees these."""
    if at == "image":
        return pair
    return type(pair)(
        *(
            batch._replace(images=torch.rand(2, 3, 128, 160) * 255, masks=torch.randint(0, 4, (2, 128, 160)))
            for batch in (pair.source, pair.target)
        )
    )


def maps_of(phase, context, pair, at):
    """Softmax maps of both domains, with their graph, and the log-probabilities at the labels' size."""
    logits = [context.segmenter(batch.images) for batch in (pair.source, pair.target)]
    scores = [upsample(one, pair.source.masks.shape[-2:]) for one in logits]
    maps = [one.softmax(1) for one in (logits if at == "logits" else scores)]
    return maps, [one.log_softmax(1) for one in scores]


@pytest.mark.parametrize("form", ["shared", "per_class"])
@pytest.mark.parametrize("at", ["image", "logits"])
@pytest.mark.parametrize("normalise", [False, True])
def test_the_step_descends_the_written_objective(make, pair, context, form, at, normalise):
    """CE(target) + (1/N) sum_i w_i CE_i(source) + lambda L_adv(target), as autograd says of the written sum."""
    pair = large_enough(pair, at)
    phase = make(weights=form, normalise=normalise, adversarial=0.7, discriminators_at=at)
    assert phase.discriminator is not None
    maps, (on_source, on_target) = maps_of(phase, context, pair, at)
    judgements = [net.module(maps[0].detach()).detach() for net in phase.nets.values()]
    assert [one.shape[1] for one in judgements] == [1 if form == "shared" else 4] * 3
    weights = realism(judgements, pair.source.masks, normalise)
    objective = (
        weighted_cross_entropy(on_source, pair.source.masks, weights)
        + torch.nn.functional.nll_loss(on_target, pair.target.masks, ignore_index=255)
        + 0.7 * fool_loss(phase.discriminator.module(maps[1]))
    )
    losses = assert_descends(phase, lambda: objective, lambda: phase.step(pair))
    torch.testing.assert_close(losses["pixel_weight"], weights[pair.source.masks != 255].mean())
    assert losses["pixel_weight"].item() == pytest.approx(1, rel=1e-5) if normalise else losses["pixel_weight"] < 1


@pytest.mark.parametrize("form", ["shared", "per_class"])
@pytest.mark.parametrize("at", ["image", "logits"])
def test_the_networks_descend_their_cross_entropies(make, pair, context, form, at):
    pair = large_enough(pair, at)
    phase = make(weights=form, discriminators_at=at)
    with torch.no_grad():
        (source, target), _ = maps_of(phase, context, pair, at)
    expected = {}
    for name, trainee in phase.trainees().items():
        if name == "segmenter":
            continue
        net = trainee.module
        loss = (
            discriminator_loss(net(source), net(target))
            if name == "discriminator"
            else weighting_loss(net(source), pair.source.masks, net(target), pair.target.masks)
        )
        expected[name] = (loss, torch.autograd.grad(loss, list(net.parameters())))
    networks = {name: phase.trainees()[name].module for name in expected}
    gradients = {}
    for network in networks.values():
        for parameter in network.parameters():
            gradients[parameter] = 0
            parameter.register_hook(lambda slope, parameter=parameter: gradients.update({parameter: slope.clone()}))
    losses = phase.step(pair)
    assert set(expected) == {"pixel_net", "region_net", "image_net", "discriminator"}
    for name, (loss, slopes) in expected.items():
        torch.testing.assert_close(losses[name], loss.detach())
        for parameter, slope in zip(networks[name].parameters(), slopes, strict=True):
            torch.testing.assert_close(gradients[parameter], slope, rtol=1e-3, atol=1e-6)


def test_without_the_adversarial_loss_there_is_no_discriminator(make, pair):
    phase = make(adversarial=0.0)
    assert phase.discriminator is None
    losses = phase.step(pair)
    assert "discriminator" not in losses
    assert "adversarial" not in losses
    assert list(phase.trainees()) == ["segmenter", "pixel_net", "region_net", "image_net"]


def test_maps_too_small_for_an_image_discriminator_are_refused(make, context):
    phase = make(discriminators_at="logits")
    with pytest.raises(UserError, match="would get 12 x 8"):
        phase.check(context.segmenter, (48, 32))
    phase.check(context.segmenter, (160, 128))
    make(discriminators_at="image").check(context.segmenter, (48, 32))


def test_fcn8s_is_weighed_at_the_images_size_whatever_is_asked_for(context, pair, classes):
    """Its logits are as large as the image; dropout is on, and what learns is what should."""
    context.segmenter = build_segmenter("fcn8s", classes, width=1 / 32)
    phase = making.make(Weighting, weighting=Settings(discriminators_at="logits"))
    phase.check(context.segmenter, (48, 32))
    phase.prepare(context, None)
    assert context.segmenter.training
    before = weights_of(context.segmenter)
    seen = []
    phase.nets["pixel"].module.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[-2:]))
    phase.step(pair)
    assert set(seen) == {(32, 48)}
    moved = {name for name, value in context.segmenter.state_dict().items() if not torch.equal(value, before[name])}
    assert {"backbone.features.0.weight", "backbone.fc7.bias", "head.score_fr.weight", "head.score_pool3.bias"} <= moved
