"""Fourier adaptation: a network a band, what its step descends, and what a round of self-training begins with."""

import copy
import dataclasses

import pytest
import torch
from lightning_fabric import Fabric

import making
from descent import assert_all_descend, assert_descends, log_probs_of, same, weights_of
from pixda.data.classes import ClassSet
from pixda.data.domains import Domains
from pixda.data.folder import Folder
from pixda.losses.entropy import charbonnier_entropy
from pixda.models import Ensemble, build_segmenter
from pixda.models.segmenter import Tiny
from pixda.phases.fourier import Fourier
from pixda.phases.phase import Context
from pixda.style import stylise
from runs import two_domains

BANDS = (0.05, 0.2)


@pytest.fixture
def make(context):
    def build(at=context, after=None, **changes):
        phase = making.make(Fourier, after=after, **changes)
        phase.prepare(at, None if after is None else after.segmenter)
        return phase

    return build


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("unlabelled", [False, True])
def test_every_network_descends_the_objective_at_its_own_band(make, pair, trio, labels, unlabelled):
    """L_seg(source, stylised) + lambda mean rho(all target images), and L_seg(shots) where their labels are used."""
    given = trio if unlabelled else pair
    phase = make(target_labels=labels)
    images, masks = given.target.images, given.target.masks
    if unlabelled:
        images = torch.cat([images, given.unlabelled.images])
        masks = torch.cat([masks, given.unlabelled.masks])
    written = []
    for beta, member in zip(BANDS, phase.members, strict=True):
        network = member.module
        styled = stylise(given.source.images, given.target.images, beta)
        objective = phase.segmentation(log_probs_of(network(styled), given.source.masks), given.source.masks)
        logits = network(images)
        objective = objective + 0.7 * charbonnier_entropy(logits.log_softmax(1), 2.0)
        if labels:
            objective = objective + phase.segmentation(log_probs_of(logits, masks), masks)
        written.append((member, lambda objective=objective: objective))
    losses = assert_all_descend(written, lambda: phase.step(given))
    assert set(losses) == {"source", "entropy"} | ({"target"} if labels else set())


def test_the_shots_and_the_unlabelled_images_lend_their_style_by_turns(make, trio):
    phase = make()
    for lender in (trio.target, trio.unlabelled, trio.target):
        expected = []
        for beta, member in zip(BANDS, phase.members, strict=True):
            log_probs = log_probs_of(member.module(stylise(trio.source.images, lender.images, beta)), trio.source.masks)
            expected.append(phase.segmentation(log_probs, trio.source.masks).item())
        assert float(phase.step(trio)["source"]) == pytest.approx(sum(expected) / 2, rel=1e-5)


def test_all_networks_begin_as_the_first_stage_and_end_as_one(make, pair, context):
    first = context.segmenter
    beginning = weights_of(first)
    phase = make()
    assert list(phase.trainees()) == ["segmenter", "segmenter 2"]
    assert all(same(beginning, member.module) for member in phase.members)
    assert isinstance(context.segmenter, Ensemble)
    assert context.segmenter.members == [member.module for member in phase.members]
    phase.step(pair)
    one, two = context.segmenter.members
    assert not same(weights_of(one), two), "each has its own band"
    assert same(beginning, first), "the first stage is kept for the rounds to come"


def test_one_band_leaves_a_plain_network(make, pair, context):
    phase = make(bands=(0.05,))
    assert isinstance(context.segmenter, Tiny)
    assert context.segmenter is phase.segmenter.module


# ---- rounds, on files


@pytest.fixture
def streets(tmp_path):
    root = two_domains(tmp_path)
    classes = ClassSet.load("cityscapes-19")
    source = Folder(root / "source", "all", classes, scheme="cityscapes")
    target = Folder(root / "target", "train", classes, scheme="cityscapes")
    more = Folder(root / "more", "all", classes, scheme="cityscapes", labelled=False)
    torch.manual_seed(0)

    def build(reporter, **changes):
        domains = Domains(source, target, 0, torch.device("cpu"), unlabelled=more, **changes)
        fabric = Fabric(accelerator="cpu", devices=1)
        return Context(fabric, domains, build_segmenter("tiny", classes), reporter)

    return build


def train(phase, steps):
    for epoch in range(steps):
        for pair in phase.batches(epoch, 0):
            phase.step(pair)


@pytest.fixture
def rounds(make, streets, context):
    """A first round of a few steps, and a second that is about to begin."""
    at = streets(context.reporter, crop=(48, 32), flip=True)
    one = make(at=at)
    train(one, 2)
    teacher = at.segmenter
    return at, one, teacher, make(after=one, at=at)


def test_a_round_begins_at_the_first_stage_and_keeps_its_teacher_out_of_the_network(rounds):
    at, one, teacher, two = rounds
    assert two.first is one.first
    assert all(same(weights_of(one.first), member.module) for member in two.members)
    assert not {id(p) for p in at.segmenter.parameters()} & {id(p) for p in teacher.parameters()}
    before = weights_of(teacher)
    train(two, 1)
    assert same(before, teacher)


def test_pseudo_labels_are_the_ensembles_by_the_sorted_rule_for_shots_and_unlabelled_images(rounds):
    """Whole images, softmax maps averaged, one threshold a class over all images, sorted in plain Python."""
    at, _, teacher, two = rounds
    next(two.batches(0, 0))
    assert not teacher.training, "with the statistics it has, not those of a batch of the target"
    images = {("target", s.name): s.image for s in at.domains.target}
    images |= {("unlabelled", s.name): s.image for s in at.domains.unlabelled}
    judged, own = {}, {c: [] for c in range(19)}
    with torch.no_grad():
        for key, image in images.items():
            maps = [member.eval()(image[None].float()).softmax(1) for member in teacher.members]
            log_mean = (sum(maps) / len(maps)).log()
            size = image.shape[-2:]
            raised = torch.nn.functional.interpolate(log_mean, size, mode="bilinear", align_corners=True)
            judged[key] = [one.flatten().tolist() for one in raised.softmax(1)[0].max(0)]
            for sure, label in zip(*judged[key], strict=True):
                own[label].append(sure)
    limit = {c: min(sorted(v)[min(round(0.66 * len(v)), len(v) - 1)], 0.9) for c, v in own.items() if v}
    found = {("target", s.name): s.mask for s in two.domains.target}
    found |= {("unlabelled", s.name): s.mask for s in two.domains.unlabelled}
    assert found.keys() == judged.keys()
    differing = total = kept = 0
    for key, mask in found.items():
        for value, sure, label in zip(mask.flatten().tolist(), *judged[key], strict=True):
            differing += value != (label if sure >= limit[label] else 255)
            kept += value != 255
            total += 1
    assert differing <= total / 500, "only what lies within a rounding of its threshold may differ"
    assert 0.2 < kept / total < 0.9
    assert two.context.reporter.results == [(len(images), pytest.approx(kept / total))]
    # Two looks at six shots and seven unlabelled images, two at a time.
    looks = [2, 4, 6, 8, 10, 12, 13]
    assert two.context.reporter.counts == [(done, 26) for done in [*looks, *(13 + done for done in looks)]]


def test_a_round_learns_from_its_pseudo_labels_and_not_from_the_shots_labels(rounds):
    _, _, _, two = rounds
    pair = next(two.batches(0, 0))
    masks = torch.cat([pair.target.masks, pair.unlabelled.masks])
    images = torch.cat([pair.target.images, pair.unlabelled.images])
    assert (masks != 255).any(dim=(1, 2)).all(), "every target image has some"
    member = two.members[0]
    styled = stylise(pair.source.images, pair.target.images, BANDS[0])
    objective = two.segmentation(log_probs_of(member.module(styled), pair.source.masks), pair.source.masks)
    logits = member.module(images)
    objective = objective + 0.7 * charbonnier_entropy(logits.log_softmax(1), 2.0)
    objective = objective + two.segmentation(log_probs_of(logits, masks), masks)
    losses = assert_descends(two, lambda: objective, lambda: two.step(pair))
    assert losses["target"] > 0


def test_pseudo_labels_are_made_once_a_round(rounds):
    _, _, _, two = rounds
    train(two, 1)
    made = two.pseudo_labels
    train(two, 2)
    assert two.pseudo_labels is made
    assert len(two.context.reporter.results) == 1


def test_a_round_that_goes_on_has_its_first_stage_and_its_pseudo_labels(rounds):
    at, _, _, two = rounds
    next(two.batches(0, 0))
    state = copy.deepcopy(two.state_dict())
    # In a resumed run no phase before it was prepared, and the network is another one.
    again = making.make(Fourier, after=making.make(Fourier))
    torch.manual_seed(1)
    again.prepare(dataclasses.replace(at, segmenter=build_segmenter("tiny", at.segmenter.classes)), None)
    assert not same(weights_of(two.first), again.first)
    again.load_state_dict(state)
    assert same(weights_of(two.first), again.first)
    assert again.pseudo_labels == two.pseudo_labels
    for stream in ("target", "unlabelled"):
        for mine, theirs in zip(getattr(again.domains, stream), getattr(two.domains, stream), strict=True):
            assert torch.equal(mine.mask, theirs.mask)


def test_with_the_shots_labels_only_images_without_any_are_pseudo_labelled(make, streets, context):
    at = streets(context.reporter)
    one = make(target_labels=True, at=at)
    train(one, 1)
    two = make(target_labels=True, after=one, at=at)
    next(two.batches(0, 0))
    assert list(two.pseudo_labels) == ["unlabelled"]
    for sample, original in zip(two.domains.target, at.domains.target, strict=True):
        assert torch.equal(sample.mask, original.mask)
