"""The adversarial phase: whose gradients reach whom, what an epoch keeps, and the ablations one field away."""

import copy
import math

import pytest
import torch

import making
from descent import assert_descends, gradients_of, log_probs_of, same, weights_of
from pixda.errors import UserError
from pixda.losses.adversarial import difficulty, discriminator_loss, fool_loss, pixadv_loss, pseudo_labels, rarity
from pixda.models.discriminators import SMALLEST, ImageDiscriminator, PixelDiscriminator
from pixda.models.upsampling import upsample
from pixda.phases.adversarial import Adversarial
from pixda.phases.settings import Alignment, Selection
from pixda.selection import Threshold
from pixda.style import stylise


@pytest.fixture
def make(context):
    def build(alignment=None, **changes):
        return making.make(Adversarial, context, **({"alignment": alignment} if alignment else {}), **changes)

    return build


def segmenter_gradient(phase, pair):
    """The gradient that one step descends, read off plain SGD's change of the weights."""
    before = weights_of(phase.segmenter.module)
    phase.step(copy.deepcopy(pair))  # a step may overwrite its images
    return torch.cat(
        [(before[n] - v).flatten() for n, v in phase.segmenter.module.state_dict().items() if v.is_floating_point()]
    )


def test_the_segmenters_step_leaves_the_discriminators_alone(make, pair):
    phase = make()
    assert phase.discriminator is not None
    before = weights_of(phase.discriminator.module)
    maps = torch.rand(2, 4, 32, 48).softmax(1).requires_grad_()
    phase.discriminator.frozen(maps).sum().backward()
    assert maps.grad is not None
    assert maps.grad.abs().sum() > 0, "gradients must reach what the discriminator judges"
    assert all(p.grad is None and p.requires_grad for p in phase.discriminator.module.parameters())
    assert same(before, phase.discriminator.module)


def test_the_discriminators_steps_leave_the_segmenter_alone(make, pair, context):
    """With lambda = 0 the segmenter moves exactly as it does without any discriminator."""
    start = weights_of(context.segmenter)
    with_discriminators = segmenter_gradient(make(Alignment(weight=0.0)), pair)
    context.segmenter.load_state_dict(start)
    without = segmenter_gradient(make(Alignment(discriminator="none"), selection=Selection(enabled=False)), pair)
    torch.testing.assert_close(with_discriminators, without, rtol=0, atol=1e-9)


def test_every_trainee_learns(make, pair):
    phase = make()
    before = {name: weights_of(trainee.module) for name, trainee in phase.trainees().items()}
    losses = phase.step(pair)
    assert set(before) == {"segmenter", "discriminator", "selection_discriminator"}
    assert not any(same(state, phase.trainees()[name].module) for name, state in before.items())
    assert all(value.isfinite() and not value.requires_grad for value in losses.values())


@pytest.mark.parametrize("in_graph", [False, True])
def test_s_and_b_carry_no_gradient_unless_s_is_asked_to(make, pair, in_graph):
    phase = make(Alignment(difficulty_in_graph=in_graph))
    log_probs = torch.randn(2, 4, 32, 48).log_softmax(1).requires_grad_()
    weights = phase._weights(difficulty(log_probs, pair.target.masks), pair.target.masks)
    assert weights.requires_grad is in_graph
    torch.testing.assert_close(weights, difficulty(log_probs, pair.target.masks) * rarity(pair.target.masks))


@pytest.mark.parametrize(("s", "b"), [(False, False), (True, False), (False, True)])
def test_each_row_of_the_ablation_is_one_field_away(make, pair, s, b):
    phase = make(Alignment(difficulty=s, rarity=b))
    log_probs = torch.randn(2, 4, 32, 48).log_softmax(1)
    expected = torch.ones(2, 32, 48)
    expected = difficulty(log_probs, pair.target.masks) if s else expected
    expected = rarity(pair.target.masks) if b else expected
    nll = difficulty(log_probs, pair.target.masks)
    torch.testing.assert_close(phase._weights(nll, pair.target.masks), expected)


def test_the_step_descends_the_papers_objective(make, pair, context):
    """L_seg(source, stylised) + L_seg(target) + lambda L_PixAdv(target), as autograd says of the written sum."""
    phase = make(Alignment(weight=0.7))
    assert phase.discriminator is not None
    segmenter, discriminator = context.segmenter, phase.discriminator.module
    styled = stylise(pair.source.images, pair.target.images, 0.01)
    on_source = log_probs_of(segmenter(styled), pair.source.masks)
    on_target = log_probs_of(segmenter(pair.target.images), pair.target.masks)
    weights = (difficulty(on_target, pair.target.masks) * rarity(pair.target.masks)).detach()
    objective = (
        phase.segmentation(on_source, pair.source.masks)
        + phase.segmentation(on_target, pair.target.masks)
        + 0.7 * pixadv_loss(discriminator(on_target.exp()), weights)
    )
    assert_descends(phase, lambda: objective, lambda: phase.step(pair))


@pytest.mark.parametrize("discriminator", ["pixel", "image"])
@pytest.mark.parametrize("in_graph", [False, True])
def test_with_unlabelled_images_the_step_descends_the_mean_over_both_kinds(
    make, trio, context, discriminator, in_graph
):
    """L_seg on the source and the shots, lambda times the mean adversarial loss of shots and unlabelled images."""
    phase = make(Alignment(weight=0.7, discriminator=discriminator, difficulty_in_graph=in_graph))
    assert phase.discriminator is not None
    segmenter, judge = context.segmenter, phase.discriminator.module
    styled = stylise(trio.source.images, trio.target.images, 0.01)
    on_source = log_probs_of(segmenter(styled), trio.source.masks)
    on_target = log_probs_of(segmenter(trio.target.images), trio.target.masks)
    on_unlabelled = log_probs_of(segmenter(trio.unlabelled.images), trio.unlabelled.masks)
    if discriminator == "pixel":
        s = difficulty(on_target, trio.target.masks)
        of_shots = pixadv_loss(judge(on_target.exp()), (s if in_graph else s.detach()) * rarity(trio.target.masks))
        weights = (-on_unlabelled.amax(1) * rarity(pseudo_labels(on_unlabelled))).detach()
        of_unlabelled = pixadv_loss(judge(on_unlabelled.exp()), weights)
    else:
        of_shots, of_unlabelled = fool_loss(judge(on_target.exp())), fool_loss(judge(on_unlabelled.exp()))
    objective = (
        phase.segmentation(on_source, trio.source.masks)
        + phase.segmentation(on_target, trio.target.masks)
        + 0.7 * (of_shots + of_unlabelled) / 2
    )
    losses = assert_descends(phase, lambda: objective, lambda: phase.step(trio))
    torch.testing.assert_close(losses["adversarial"], of_shots.detach())
    torch.testing.assert_close(losses["unlabelled_adversarial"], of_unlabelled.detach())
    assert not any(value.requires_grad for value in losses.values())


@pytest.mark.parametrize("discriminator", ["pixel", "image"])
@pytest.mark.parametrize("beside", [False, True])
def test_without_target_labels_the_step_descends_the_source_and_the_alignment_alone(
    make, trio, context, discriminator, beside
):
    """L_seg(source) + lambda times the mean adversarial loss of all target images, with pseudo-labels; no mask read."""
    trio = trio._replace(unlabelled=trio.unlabelled if beside else None)
    phase = make(Alignment(weight=0.7, discriminator=discriminator, difficulty_in_graph=True), target_labels=False)
    segmenter, judge = context.segmenter, phase.discriminator.module
    styled = stylise(trio.source.images, trio.target.images, 0.01)
    on_source = log_probs_of(segmenter(styled), trio.source.masks)
    of_kinds = []
    for batch in (trio.target, trio.unlabelled) if beside else (trio.target,):
        log_probs = log_probs_of(segmenter(batch.images), trio.source.masks)
        if discriminator == "pixel":
            weights = (-log_probs.amax(1) * rarity(log_probs.argmax(1))).detach()
            of_kinds.append(pixadv_loss(judge(log_probs.exp()), weights))
        else:
            of_kinds.append(fool_loss(judge(log_probs.exp())))
    objective = phase.segmentation(on_source, trio.source.masks) + 0.7 * sum(of_kinds) / len(of_kinds)
    losses = assert_descends(phase, lambda: objective, lambda: phase.step(trio))
    assert "target" not in losses
    torch.testing.assert_close(losses["adversarial"], of_kinds[0].detach())


@pytest.mark.parametrize("name", ["discriminator", "selection_discriminator"])
def test_the_discriminators_take_unlabelled_images_for_target_too_and_weigh_the_domains_alike(
    make, trio, context, name
):
    """1/2 mean over the source's maps + 1/2 mean over the maps of shots and unlabelled images."""
    phase = make()
    trainee = phase.trainees()[name]
    discriminator = trainee.module
    styled = stylise(trio.source.images, trio.target.images, 0.01)
    with torch.no_grad():
        source, shots, unlabelled = (
            log_probs_of(context.segmenter(images), trio.source.masks).exp()
            for images in (styled, trio.target.images, trio.unlabelled.images)
        )
    expected = discriminator_loss(discriminator(source), torch.cat([discriminator(shots), discriminator(unlabelled)]))
    slopes = torch.autograd.grad(expected, list(discriminator.parameters()))
    losses = {}
    gradients = gradients_of(trainee, lambda: losses.update(phase.step(trio)))
    torch.testing.assert_close(losses[name], expected.detach())
    torch.testing.assert_close(list(gradients.values()), list(slopes), rtol=1e-3, atol=1e-6)


def test_unlabelled_images_change_nothing_where_lambda_is_zero(make, pair, trio, context):
    """No segmentation loss sees them: without alignment the segmenter moves as it does without them."""
    start = weights_of(context.segmenter)
    without = segmenter_gradient(make(Alignment(weight=0.0)), pair)
    context.segmenter.load_state_dict(start)
    with_them = segmenter_gradient(make(Alignment(weight=0.0)), trio)
    torch.testing.assert_close(with_them, without, rtol=0, atol=1e-9)


def test_selection_opens_every_epoch_but_the_first_and_ends_the_phase(make, pair, context):
    phase = make(selection=Selection(delta=0.4))
    assert len(list(phase.batches(0, 0))) == 1
    assert context.reporter.results == []
    with torch.no_grad():  # a judge at chance: everything passes 0.4 and nothing passes 0.8
        for parameter in phase.trainees()["selection_discriminator"].module.parameters():
            parameter.zero_()
    assert len(list(phase.batches(1, 0))) == 1
    assert len(list(phase.batches(1, 0))) == 1, "asking again for the same epoch must not select again"
    assert list(phase.batches(2, 0)) == []
    first, second = context.reporter.results
    assert (first.rule, first.kept) == (Threshold(0.4), ["s0", "s1"])
    assert (second.rule, second.kept) == (Threshold(0.8), [])
    assert all(score == pytest.approx(math.log(2)) for score in first.scores.values())
    assert context.reporter.counts == [(1, 2), (2, 2)] * 2
    assert context.segmenter.training, "selection must hand the segmenter back in training mode"


def test_selection_changes_no_weight(make, context):
    phase = make()
    before = weights_of(context.segmenter)
    list(phase.batches(1, 0))
    assert same(before, context.segmenter)


def test_without_selection_every_epoch_has_the_whole_source(make):
    phase = make(selection=Selection(enabled=False))
    assert "selection_discriminator" not in phase.trainees()
    assert [len(list(phase.batches(epoch, 0))) for epoch in (0, 1, 7)] == [1, 1, 1]


@pytest.mark.parametrize("top", [0, -1, 1.5, float("nan"), float("inf")])
def test_a_top_that_is_neither_share_nor_number_is_refused(make, context, top):
    phase = make(selection=Selection(rule="top", top=top))
    with pytest.raises(UserError, match=r"selection\.top"):
        phase.check(context.segmenter, (48, 32))
    make(selection=Selection(top=top)).check(context.segmenter, (48, 32))  # of no concern to the threshold


@pytest.mark.parametrize("top", [0.01, 0.5, 1, 2, 100.0])
def test_a_share_or_a_whole_number_is_a_top(make, context, top):
    make(selection=Selection(rule="top", top=top)).check(context.segmenter, (48, 32))


@pytest.mark.parametrize(("discriminator", "made"), [("pixel", PixelDiscriminator), ("image", ImageDiscriminator)])
def test_the_discriminator_is_of_the_kind_that_was_asked_for(make, discriminator, made):
    phase = make(Alignment(discriminator=discriminator))
    assert type(phase.discriminator.module) is made
    assert phase.opponent() is phase.discriminator.module
    assert make(Alignment(discriminator="none")).opponent() is None


@pytest.mark.parametrize("discriminator", ["pixel", "image", "none"])
@pytest.mark.parametrize("selection", [True, False])
def test_images_too_small_for_an_image_discriminator_are_refused_where_there_is_one(
    make, context, discriminator, selection
):
    phase = make(Alignment(discriminator=discriminator), selection=Selection(enabled=selection))
    phase.check(context.segmenter, (SMALLEST, SMALLEST))
    if selection or discriminator == "image":
        with pytest.raises(UserError, match=r"--recipe\.alignment\.discriminators_at"):
            phase.check(context.segmenter, (SMALLEST, SMALLEST - 1))
    else:
        phase.check(context.segmenter, (SMALLEST, SMALLEST - 1))


@pytest.mark.parametrize("discriminator", ["pixel", "image", "none"])
def test_without_target_labels_there_must_be_a_discriminator(make, context, discriminator):
    make(Alignment(discriminator=discriminator)).check(context.segmenter, (48, 32))
    phase = make(Alignment(discriminator=discriminator), target_labels=False)
    if discriminator == "none":
        with pytest.raises(UserError, match="nothing would be learned from the target"):
            phase.check(context.segmenter, (48, 32))
    else:
        phase.check(context.segmenter, (48, 32))


def test_the_maps_are_softmax_maps_at_the_images_size_or_the_logits(make):
    logits = torch.randn(1, 4, 8, 12)
    at_image = make(Alignment(discriminators_at="image")).maps(logits, torch.Size((32, 48)))
    torch.testing.assert_close(at_image, upsample(logits, torch.Size((32, 48))).softmax(1))
    at_logits = make(Alignment(discriminators_at="logits")).maps(logits, torch.Size((32, 48)))
    torch.testing.assert_close(at_logits, logits.softmax(1))


@pytest.mark.parametrize("discriminator", ["pixel", "image"])
@pytest.mark.parametrize("at", ["image", "logits"])
def test_discriminators_see_maps_at_the_size_that_was_asked_for(make, pair, discriminator, at, context):
    if at == "logits":
        pair = pair._replace(
            source=pair.source._replace(images=torch.rand(2, 3, 128, 160) * 255, masks=torch.zeros(2, 128, 160).long()),
            target=pair.target._replace(images=torch.rand(2, 3, 128, 160) * 255, masks=torch.zeros(2, 128, 160).long()),
        )
    phase = make(Alignment(discriminator=discriminator, discriminators_at=at))
    assert phase.discriminator is not None
    seen = []
    phase.discriminator.module.register_forward_pre_hook(
        lambda module, inputs: seen.append(tuple(inputs[0].shape[-2:]))
    )
    phase.step(pair)
    assert set(seen) == {(32, 48) if at == "image" else (32, 40)}
