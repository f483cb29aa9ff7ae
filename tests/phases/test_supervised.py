"""Learning from labels, of either domain and of both."""

import dataclasses

import pytest
import torch

from descent import assert_descends, log_probs_of
from making import make
from pixda.data.classes import ClassSet
from pixda.data.domains import Domains
from pixda.data.folder import Folder
from pixda.phases.supervised import Supervised
from pixda.phases.trainee import Trainee
from pixda.style import stylise
from runs import two_domains


@pytest.mark.parametrize(
    ("on", "beta"),
    [("source", 0.0), ("target", 0.0), ("both", 0.0), ("both", 0.05), ("concatenation", 0.0), ("concatenation", 0.05)],
)
def test_the_step_descends_the_sum_over_the_domains_present(context, pair, on, beta):
    phase = make(Supervised, context, on=on, **({"style_beta": beta} if beta else {}))
    source, target = pair.source, pair.target
    if beta:
        source = source._replace(images=stylise(source.images, target.images, beta))
    used = {"source": [source], "target": [target], "both": [source, target], "concatenation": [source]}[on]
    given = {"source": (pair.source, None), "target": (None, pair.target), "both": pair, "concatenation": pair}[on]
    losses = assert_descends(
        phase,
        lambda: sum(phase.segmentation(log_probs_of(context.segmenter(b.images), b.masks), b.masks) for b in used),
        lambda: phase.step(type(pair)(*given)),
    )
    assert set(losses) == {"both": {"source", "target"}, "concatenation": {"source"}}.get(on, {on})


@pytest.fixture(scope="module")
def domains(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    classes = ClassSet.load("cityscapes-19")
    sides = (("source", "all"), ("target", "train"))
    source, target = (Folder(root / side, split, classes, (64, 48), scheme="cityscapes") for side, split in sides)
    return Domains(source, target, 0, torch.device("cpu"))


def sets_of(batch, domains):
    """How many source images and shots are learned from."""
    shots = {frame.name for frame in domains.target.frames}
    names = [] if batch.source is None else batch.source.names
    if batch.target is not None:
        names = names + batch.target.names
    return sum(name not in shots for name in names), sum(name in shots for name in names)


@pytest.mark.parametrize(("on", "batches", "each"), [("source", 2, (4, 0)), ("target", 7, (0, 4)), ("both", 2, (4, 4))])
def test_an_epoch_is_a_pass_over_the_source_and_of_the_target_alone_all_steps(context, domains, on, batches, each):
    phase = make(Supervised, dataclasses.replace(context, domains=domains), on=on, steps=7, batch=4)
    drawn = list(phase.batches(0, 0))
    assert [sets_of(batch, domains) for batch in drawn] == [each] * batches
    assert len(list(phase.batches(0, 1))) == batches - 1, "after a stop, the rest"


def test_of_both_as_one_set_a_batch_holds_whatever_is_drawn(context, domains):
    phase = make(Supervised, dataclasses.replace(context, domains=domains), on="concatenation", steps=7, batch=4)
    drawn = [name for batch in phase.batches(0, 0) for name in batch.source.names]
    both = {*domains.source_names, *(frame.name for frame in domains.target.frames)}
    assert len(drawn) == len(set(drawn)) == len(both) // 4 * 4
    assert set(drawn) <= both


def test_several_processes_exchange_their_gradients_once_a_step(context, pair, monkeypatch):
    phase = make(Supervised, context)
    call, follows = Trainee.__call__, []

    def noted(self, images, more=False):
        follows.append(more)
        return call(self, images, more=more)

    monkeypatch.setattr(Trainee, "__call__", noted)
    phase.step(pair)
    assert follows == [True, False]
