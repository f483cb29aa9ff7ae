"""Several sources: every one is judged by a discriminator of its own, by its own images, and drops out by itself."""

import pytest
import torch
from lightning_fabric import Fabric

import making
from descent import gradients_of, log_probs_of, same, weights_of
from pixda.data.classes import ClassSet
from pixda.data.domains import Domains
from pixda.data.folder import Folder
from pixda.losses.adversarial import discriminator_loss
from pixda.models import build_segmenter
from pixda.phases.adversarial import Adversarial
from pixda.phases.phase import Context
from pixda.phases.settings import Selection
from pixda.selection import Threshold, Top
from pixda.style import stylise
from runs import junk, two_domains


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    junk(root, count=6)
    return root


@pytest.fixture
def both(root, context):
    classes = ClassSet.load("cityscapes-19")

    def opened(name, split="all"):
        return Folder(root / name, split, classes, (64, 48), scheme="cityscapes")

    domains = Domains(
        opened("source"), opened("target", "train"), 0, torch.device("cpu"), more_sources=[opened("junk")]
    )
    torch.manual_seed(0)
    fabric = Fabric(accelerator="cpu", devices=1)
    return Context(fabric, domains, build_segmenter("tiny", classes), context.reporter)


@pytest.fixture
def make(both):
    return lambda **selection: making.make(Adversarial, both, batch=4, selection=Selection(**selection))


def says_source(judge, certainty):
    """A judge whose every patch has the logit ``-certainty``."""
    with torch.no_grad():
        for parameter in judge.module.parameters():
            parameter.zero_()
        judge.module.layers[-1].bias.fill_(-certainty)


def test_there_is_a_judge_for_each_source_and_one_pixel_discriminator(make):
    assert set(make().trainees()) == {
        "segmenter",
        "discriminator",
        "selection_discriminator_folder-1",
        "selection_discriminator_folder-2",
    }


@pytest.mark.parametrize(
    ("name", "rows"), [("selection_discriminator_folder-1", [0, 1]), ("selection_discriminator_folder-2", [2, 3])]
)
def test_a_judge_learns_from_its_own_source_against_the_target(make, both, name, rows):
    """1/2 mean over its source's maps + 1/2 mean over all target maps, and its gradient."""
    phase = make()
    pair = next(phase.batches(0, 0))
    assert [one.split("/")[0] for one in pair.source.names] == ["folder-1", "folder-1", "folder-2", "folder-2"]
    trainee = phase.trainees()[name]
    discriminator = trainee.module
    with torch.no_grad():
        styled = stylise(pair.source.images, pair.target.images, 0.01)
        source = log_probs_of(both.segmenter(styled), pair.source.masks).exp()[rows]
        target = log_probs_of(both.segmenter(pair.target.images), pair.target.masks).exp()
    expected = discriminator_loss(discriminator(source), discriminator(target))
    slopes = torch.autograd.grad(expected, list(discriminator.parameters()))
    losses = {}
    gradients = gradients_of(trainee, lambda: losses.update(phase.step(pair)))
    torch.testing.assert_close(losses[name], expected.detach())
    torch.testing.assert_close(list(gradients.values()), list(slopes), rtol=1e-3, atol=1e-6)


def test_each_source_is_judged_by_its_own_discriminator_and_drops_out_by_itself(make, both):
    phase = make(delta=0.5)
    says_source(phase.trainees()["selection_discriminator_folder-1"], 0.0)  # s = 0.693
    says_source(phase.trainees()["selection_discriminator_folder-2"], 4.0)  # s = 0.018
    first = list(phase.batches(1, 0))
    one, two = both.reporter.results
    assert (one.source, one.rule, len(one.kept), len(one.scores)) == ("folder-1", Threshold(0.5), 10, 10)
    assert (two.source, two.rule, len(two.kept), len(two.scores)) == ("folder-2", Threshold(0.5), 0, 6)
    assert all(name.startswith("folder-1/") for name in one.scores)
    assert all(name.startswith("folder-2/") for name in two.scores)
    assert both.reporter.gone == ["folder-2"]
    assert len(first) == 2, "the first source fills the batches alone: 10 images in fours"
    judge = phase.trainees()["selection_discriminator_folder-2"].module
    silent = weights_of(judge)
    losses = phase.step(first[0])
    assert "selection_discriminator_folder-1" in losses
    assert "selection_discriminator_folder-2" not in losses
    assert same(silent, judge)
    says_source(phase.trainees()["selection_discriminator_folder-1"], 4.0)
    assert list(phase.batches(2, 0)) == [], "adaptation ends when no source is left"
    assert both.reporter.gone == ["folder-2", "folder-1"]
    assert [result.source for result in both.reporter.results] == ["folder-1", "folder-2", "folder-1"]


def test_too_few_images_for_a_share_are_as_good_as_none(make, both):
    """One kept image of the second source cannot fill its share of two: it is not drawn, nor judged again."""
    phase = make(rule="top", top=1)
    list(phase.batches(1, 0))
    assert both.reporter.gone == ["folder-1", "folder-2"]
    assert phase.selector.kept == []


def test_the_top_of_each_source_stays(make, both):
    phase = make(rule="top", top=0.5)
    list(phase.batches(1, 0))
    assert [(one.rule, len(one.kept), len(one.scores)) for one in both.reporter.results] == [
        (Top(0.5), 5, 10),
        (Top(0.5), 3, 6),
    ]
    for one in both.reporter.results:
        least = min(one.scores[name] for name in one.kept)
        assert all(value <= least for name, value in one.scores.items() if name not in one.kept)


def test_what_each_source_kept_survives_in_the_state(make):
    phase, other = make(rule="top", top=0.5), make(rule="top", top=0.5)
    list(phase.batches(1, 0))
    other.load_state_dict(phase.state_dict())
    assert other.selector.kept == phase.selector.kept
    assert {name.split("/")[0] for name in other.selector.kept} == {"folder-1", "folder-2"}
    assert other.selector.selected_for == 1
