"""AdaptSegNet and ADVENT: what the segmenter with two heads minimises, what each discriminator, what is left."""

import pytest
import torch
from torch import nn

import making
from descent import assert_descends, gradients_of, heads_of
from pixda.errors import UserError
from pixda.losses.adversarial import discriminator_loss, fool_loss
from pixda.losses.information import self_information
from pixda.losses.segmentation import cross_entropy
from pixda.models import build_segmenter
from pixda.models.segmenter import Segmenter
from pixda.phases.image_adversarial import ImageAdversarial
from pixda.phases.settings import Heads


@pytest.fixture
def make(context):
    return lambda **changes: making.make(ImageAdversarial, context, **changes)


def seen(maps, log_probs):
    return self_information(log_probs) if maps == "self_information" else log_probs.exp()


@pytest.mark.parametrize("maps", ["softmax", "self_information"])
@pytest.mark.parametrize("target_labels", [True, False])
@pytest.mark.parametrize("more", [False, True])
def test_the_step_descends_the_written_objective(make, trio, pair, maps, target_labels, more):
    phase, given = make(maps=maps, target_labels=target_labels), trio if more else pair
    discriminators = [phase.discriminator.module, phase.auxiliary_discriminator.module]

    def objective():
        total = 0.0
        for weight, of in ((1.0, given.source), (1.0 if target_labels else 0.0, given.target)):
            main, auxiliary = heads_of(phase, of)
            total = total + weight * (cross_entropy(main, of.masks) + 0.3 * cross_entropy(auxiliary, of.masks))
        kinds = [given.target, given.unlabelled] if more else [given.target]
        for batch in kinds:
            for weight, discriminator, one in zip((0.9, 0.6), discriminators, heads_of(phase, batch), strict=True):
                total = total + weight * fool_loss(discriminator(seen(maps, one))) / len(kinds)
        return total

    losses = assert_descends(phase, objective, lambda: phase.step(given))
    assert ("target" in losses) is target_labels
    assert ("unlabelled_adversarial" in losses) is more


@pytest.mark.parametrize("maps", ["softmax", "self_information"])
@pytest.mark.parametrize("number", [0, 1])
def test_each_discriminator_learns_of_its_own_head_alone_and_nothing_from_the_segmenters_step(make, trio, maps, number):
    phase = make(maps=maps)
    name = ("discriminator", "auxiliary_discriminator")[number]
    trainee = phase.trainees()[name]
    with torch.no_grad():
        source, shots, unlabelled = (
            seen(maps, heads_of(phase, batch)[number]) for batch in (trio.source, trio.target, trio.unlabelled)
        )
    judged = trainee.module
    expected = discriminator_loss(judged(source), torch.cat([judged(shots), judged(unlabelled)]))
    slopes = torch.autograd.grad(expected, list(judged.parameters()))
    losses = {}
    found = gradients_of(trainee, lambda: losses.update(phase.step(trio)))
    torch.testing.assert_close(losses[name], expected.detach())
    torch.testing.assert_close(list(found.values()), list(slopes), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(("at", "size"), [("image", (128, 160)), ("logits", (32, 40))])
def test_discriminators_of_both_heads_see_one_size(context, trio, classes, at, size):
    """The auxiliary logits of mobile_deeplab, at stride 16, are too small for an image discriminator by themselves."""
    context.segmenter = build_segmenter("mobile_deeplab", classes, width=12)
    large = [
        one._replace(images=torch.rand(2, 3, 128, 160) * 255, masks=torch.zeros(2, 128, 160).long()) for one in trio
    ]
    phase = making.make(ImageAdversarial, context, heads=Heads(discriminators_at=at))
    phase.check(context.segmenter, (160, 128))
    sizes = []
    for discriminator in (phase.discriminator, phase.auxiliary_discriminator):
        discriminator.module.register_forward_pre_hook(lambda module, inputs: sizes.append(tuple(inputs[0].shape[-2:])))
    phase.step(type(trio)(*large))
    assert len(sizes) == 6, "two fooled kinds of target, and the discriminator's own step, for each head"
    assert set(sizes) == {size}


def test_what_does_not_suit_is_refused_before_training(classes):
    phase = making.make(ImageAdversarial, heads=Heads(discriminators_at="logits"))
    with pytest.raises(UserError, match=r"would get 12 x 8.*--recipe.heads.discriminators_at image"):
        phase.check(build_segmenter("tiny", classes), (48, 32))
    plain = Segmenter(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), classes, "symmetric")
    with pytest.raises(UserError, match=r"deeplab_resnet101, mobile_deeplab, .* or tiny"):
        phase.check(plain, (320, 240))
