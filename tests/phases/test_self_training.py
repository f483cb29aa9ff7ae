"""Self-training: what a step descends, whose labels it learns, and how the teacher follows."""

import copy
import dataclasses
import itertools
from types import SimpleNamespace

import pytest
import torch

import making
from descent import assert_descends, log_probs_of, same, weights_of
from moody import Moody
from pixda.data.augmentation import jitter_colours
from pixda.mixing import class_mix, hide_blocks
from pixda.phases.self_training import GREY, MeanTeacher
from pixda.phases.settings import Teaching

CLASSES = 4


@pytest.fixture
def make(context):
    def build(at=context, **settings):
        at.domains.seed = 0
        phase = making.make(MeanTeacher, at, teaching=Teaching(**settings))
        with torch.no_grad():  # a teacher that is not its student
            for parameter in phase.teacher.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)) * 0.3)
        return phase

    return build


def pseudo_labels(phase, images, threshold, confidence=None):
    """Pixel by pixel, in float64, with the class means of this one batch unless others are given."""
    probabilities = log_probs_of(phase.teacher(images).double(), images[:, 0]).exp()
    labels = torch.full(images[:, 0].shape, 255)
    found = [[] for _ in range(CLASSES)]
    for n, y, x in torch.cartesian_prod(*(torch.arange(side) for side in labels.shape)).tolist():
        best = int(probabilities[n, :, y, x].argmax())
        found[best].append(float(probabilities[n, best, y, x]))
    means = confidence or [sum(of_class) / len(of_class) if of_class else 0.0 for of_class in found]
    for n, y, x in torch.cartesian_prod(*(torch.arange(side) for side in labels.shape)).tolist():
        best = int(probabilities[n, :, y, x].argmax())
        if float(probabilities[n, best, y, x]) >= threshold * means[best] / max(means):
            labels[n, y, x] = best
    return labels, means


@pytest.mark.parametrize("hidden", [0.0, 0.5])
@pytest.mark.parametrize("class_mix_on", [True, False])
def test_a_step_descends_the_written_objective(make, trio, hidden, class_mix_on):
    """L(source) + L(shots) + 0.3 (L(mixed) + L(masked)) on the teacher's labels."""
    phase = make(weight=0.3, threshold=0.3, hidden=hidden, block=8, class_mix=class_mix_on, colour=0.0)
    network = phase.segmenter.module
    labels, _ = pseudo_labels(phase, trio.unlabelled.images, 0.3)
    assert 0 < int((labels == 255).sum()) < labels.numel(), "a threshold that decides something"
    generators = phase._generators(2)
    mixed, mixed_labels = trio.unlabelled.images, labels
    if class_mix_on:
        front = torch.stack([trio.source.images[0], trio.target.images[1]])
        front_labels = torch.stack([trio.source.masks[0], trio.target.masks[1]])
        mixed, mixed_labels = class_mix(front, front_labels, mixed, labels, CLASSES, generators)
    shown = hide_blocks(trio.unlabelled.images, hidden, 8, GREY, generators)

    def loss(images, masks):
        return phase.segmentation(log_probs_of(network(images), masks), masks)

    def objective():
        total = loss(trio.source.images, trio.source.masks) + loss(trio.target.images, trio.target.masks)
        total = total + 0.3 * loss(mixed, mixed_labels)
        return total + 0.3 * loss(shown, labels) if hidden else total

    losses = assert_descends(phase, objective, lambda: phase.step(trio))
    assert set(losses) == {"source", "target", "mixed"} | ({"masked"} if hidden else set())
    assert not any(value.requires_grad for value in losses.values())


def test_the_masks_of_unlabelled_images_reach_nothing(make, trio, context):
    """Where a folder has masks after all, no step looks at them."""
    ends = []
    start = copy.deepcopy(context.segmenter.state_dict())
    for masks in (trio.unlabelled.masks, trio.unlabelled.masks * 0 + 2):
        context.segmenter.load_state_dict(start)
        phase = make(hidden=0.5)
        phase.step(trio._replace(unlabelled=trio.unlabelled._replace(masks=masks)))
        ends.append([p.detach().clone() for p in phase.segmenter.module.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


def test_the_teacher_follows_slowly_and_its_confidence_is_a_running_mean(make, trio):
    phase = make(momentum=0.9, threshold=0.3)
    before = [p.clone() for p in phase.teacher.parameters()]
    _, first = pseudo_labels(phase, trio.unlabelled.images, 0.3)
    phase.step(trio)
    after = [p.detach().clone() for p in phase.segmenter.module.parameters()]
    for mine, old, new in zip(phase.teacher.parameters(), before, after, strict=True):
        torch.testing.assert_close(mine, 0.9 * old + 0.1 * new)
    assert not any(p.requires_grad for p in phase.teacher.parameters())
    assert not phase.teacher.training
    torch.testing.assert_close(phase.confidence.double(), torch.tensor(first).double(), atol=1e-5, rtol=0)
    _, second = pseudo_labels(phase, trio.unlabelled.images, 0.3)
    phase.step(trio)
    running = [0.9 * one + 0.1 * other if other else one for one, other in zip(first, second, strict=True)]
    torch.testing.assert_close(phase.confidence.double(), torch.tensor(running).double(), atol=1e-5, rtol=0)


def test_colours_change_what_the_network_sees_and_not_what_the_teacher_sees(make, trio):
    plain, changed = make(colour=0.0), make(colour=0.5)
    taught = trio.unlabelled._replace(masks=plain._teach(trio.unlabelled.images))
    assert torch.equal(taught.masks, changed._teach(trio.unlabelled.images))
    generators = plain._generators(2)
    images = plain._mixed(trio.source, trio.target, taught, generators).images
    # What is drawn for colours comes after what is drawn for the mixture.
    wanted = [jitter_colours(one[None] / 255, 0.5, g) for one, g in zip(images, generators, strict=True)]
    found = changed._mixed(trio.source, trio.target, taught, changed._generators(2)).images
    torch.testing.assert_close(found, torch.cat(wanted).clamp(0, 1) * 255)
    assert 2 < float((found - images).abs().mean()) < 100, "changed, and to be recognised"


def test_what_is_drawn_depends_on_seed_step_and_place_in_the_whole_batch(make):
    phase = make()
    phase.context.fabric = SimpleNamespace(global_rank=1, world_size=3)
    assert phase._numbers(3).tolist() == [1, 4, 7]
    drawn = set()
    for seed, step, rank in itertools.product((0, 1), (0, 1), (0, 1)):
        phase.context.domains.seed, phase.segmenter.steps = seed, step
        phase.context.fabric = SimpleNamespace(global_rank=rank, world_size=2)
        drawn |= {torch.rand(1, generator=generator).item() for generator in phase._generators(2)}
    assert len(drawn) == 2 * 2 * 4
    phase.context.fabric = SimpleNamespace(global_rank=0, world_size=1)
    assert {torch.rand(1, generator=generator).item() for generator in phase._generators(4)} <= drawn


def test_the_teacher_takes_statistics_as_they_are_and_nothing_of_a_step_that_is_left_out(make, trio, context, classes):
    context.segmenter = Moody(classes)
    phase = make(momentum=0.9)
    phase.step(trio)
    assert phase.teacher.backbone[1].running_mean.abs().sum() > 0
    of_network = dict(context.segmenter.named_buffers())
    assert all(torch.equal(value, of_network[name]) for name, value in phase.teacher.named_buffers())
    before = weights_of(phase.teacher)
    phase.segmenter.skipped = True
    phase._follow()
    assert same(before, phase.teacher)


def test_hidden_blocks_are_grey():
    assert GREY.tolist() == [127, 127, 127]


def test_a_resumed_phase_goes_on_with_its_teacher(make, trio, context):
    phase = make()
    phase.step(trio)
    other = make(at=dataclasses.replace(context, segmenter=copy.deepcopy(context.segmenter)))
    other.load_state_dict(copy.deepcopy(phase.state_dict()))
    other.segmenter.load_state_dict(copy.deepcopy(phase.segmenter.state_dict()))
    for one in (phase, other):
        one.step(trio)
    for mine, theirs in zip(phase.teacher.parameters(), other.teacher.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(phase.confidence, other.confidence)
