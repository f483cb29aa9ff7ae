"""FDA as a list of phases, and its published numbers written out a second time."""

import pytest

from pixda.errors import UserError
from pixda.methods import build


def test_the_published_values():
    fda = build("fda")
    assert (fda.steps, fda.bands, fda.rounds) == (100000, (0.01, 0.05, 0.09), 2)
    assert (fda.batch, fda.entropy_weight, fda.eta) == (1, 0.005, 2.0)
    assert (fda.segmenter.kind, fda.segmenter.lr, fda.segmenter.power) == ("sgd", 2.5e-4, 0.9)
    assert fda.loss.kind == "cross_entropy"
    assert not fda.target_labels
    released = 150000 / 100000
    assert fda.segmenter.horizon / (fda.steps / (fda.rounds + 1)) == pytest.approx(released)


@pytest.mark.parametrize(("rounds", "lengths"), [(0, [100]), (1, [50, 50]), (2, [33, 33, 34])])
def test_the_rounds_share_the_steps_and_each_follows_the_one_before(rounds, lengths):
    _, *phases = build("fda", "small", steps=100, rounds=rounds).phases()
    assert [phase.steps for phase in phases] == lengths
    assert [phase.optimiser.horizon for phase in phases] == lengths
    assert [phase.after for phase in phases] == [None, *phases[:-1]]
    assert not any(phase.continues for phase in phases), "every round has an optimiser of its own"


def test_small_machines_train_one_network_once():
    for preset in ("small", "demo"):
        fda = build("fda", preset)
        assert (fda.bands, fda.rounds, fda.batch) == ((0.01,), 0, build("pixda", preset).batch)


def test_labels_with_rounds_need_images_without_labels():
    labels = build("fda", target_labels=True)
    labels.check(unlabelled=True)
    build("fda", target_labels=True, rounds=0).check(unlabelled=False)
    with pytest.raises(UserError, match="nothing to make pseudo-labels for"):
        labels.check(unlabelled=False)


@pytest.mark.parametrize("wrong", [{"bands": ()}, {"rounds": -1}, {"steps": 2}, {"steps": 0, "rounds": 0}])
def test_without_a_band_a_round_or_a_step_there_is_nothing_to_do(wrong):
    build("fda", steps=3, rounds=2).check(unlabelled=True)
    with pytest.raises(UserError, match="needs a band or more"):
        build("fda", **wrong).check(unlabelled=True)


def test_the_phases_have_the_settings_of_the_method_and_names_of_their_own():
    _, *phases = build("fda", bands=(0.02,), entropy_weight=0.3, eta=1.5, target_labels=True).phases()
    assert [phase.name for phase in phases] == ["transfer", "self-train-1", "self-train-2"]
    for phase in phases:
        assert (phase.bands, phase.entropy_weight, phase.eta, phase.target_labels) == ((0.02,), 0.3, 1.5, True)
