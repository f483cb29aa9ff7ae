"""The adversarial phase: whose gradients reach whom, what an epoch keeps, and the ablations one field away."""

import math

import pytest
import torch

import making
from descent import assert_descends, gradients_of, log_probs_of, same, weights_of
from pixda.errors import UserError
from pixda.losses.adversarial import difficulty, discriminator_loss, fool_loss, pixadv_loss, rarity
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


def written(phase, given):
    """L_seg(source, stylised), L_seg(shots) and lambda times the mean adversarial loss of all kinds of target images.

    On images whose labels are not read PixAdv takes pseudo-labels, and S is never in its graph.
    """
    alignment, segmenter, judge = phase.alignment, phase.context.segmenter, phase.discriminator.module
    styled = stylise(given.source.images, given.target.images, 0.01)
    objective = phase.segmentation(log_probs_of(segmenter(styled), given.source.masks), given.source.masks)
    adversarial = []
    for batch in (given.target, given.unlabelled):
        if batch is None:
            continue
        log_probs = log_probs_of(segmenter(batch.images), batch.masks)
        labelled = batch is given.target and phase.target_labels
        labels = batch.masks if labelled else log_probs.argmax(1)
        if labelled:
            objective = objective + phase.segmentation(log_probs, labels)
        if alignment.discriminator == "image":
            adversarial.append(fool_loss(judge(log_probs.exp())))
            continue
        s = difficulty(log_probs, labels) if alignment.difficulty else torch.ones(labels.shape)
        b = rarity(labels) if alignment.rarity else 1.0
        weights = s * b if labelled and alignment.difficulty_in_graph else (s * b).detach()
        adversarial.append(pixadv_loss(judge(log_probs.exp()), weights))
    return objective + alignment.weight * sum(adversarial) / len(adversarial), adversarial


@pytest.mark.parametrize("target_labels", [True, False])
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    "alignment",
    [
        {},
        {"difficulty_in_graph": True},
        {"difficulty": False},
        {"rarity": False},
        {"difficulty": False, "rarity": False},
        {"discriminator": "image"},
    ],
    ids=str,
)
def test_the_step_descends_the_written_objective(make, trio, alignment, beside, target_labels):
    """The paper's, each row of its ablation, and our forms with unlabelled images and without labels of the shots."""
    given = trio if beside else trio._replace(unlabelled=None)
    phase = make(Alignment(weight=0.7, **alignment), target_labels=target_labels)
    objective, adversarial = written(phase, given)
    losses = assert_descends(phase, lambda: objective, lambda: phase.step(given))
    assert ("target" in losses) is target_labels
    names = ["adversarial", "unlabelled_adversarial"] if beside else ["adversarial"]
    torch.testing.assert_close([losses[name] for name in names], [value.detach() for value in adversarial])


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
