"""Every row of the presets, written out a second time; and the methods as lists of phases."""

from dataclasses import replace

import pytest

from pixda.errors import UserError
from pixda.methods import METHODS, build, departures
from pixda.methods.presets import PRESETS

# field -> (paper, official)
PIXDA = {
    "segmenter.kind": ("sgd", "sgd"),
    "segmenter.lr": (2.5e-4, 1e-3),
    "segmenter.head_lr_factor": (10, 10),
    "segmenter.momentum": (0.9, 0.9),
    "segmenter.weight_decay": (5e-4, 5e-4),
    "segmenter.power": (0.9, 0.9),
    "segmenter.horizon": (62500, 62500),
    "segmenter.updates": ("once", "as_released"),
    "discriminators.lr": (1e-5, 4e-4),
    "discriminators.beta1": (0.9, 0.9),
    "discriminators.beta2": (0.99, 0.99),
    "batch": (4, 4),
    "alignment.weight": (0.1, 0.1),
    "alignment.discriminators_at": ("image", "image"),
    "alignment.difficulty_in_graph": (False, True),
    "loss.kind": ("focal", "focal"),
    "loss.gamma": (2, 2),
    "loss.log_epsilon": (0, 1e-6),
    "loss.alpha": (0.25, 0.75),
    "loss.alpha_exceptions": ({}, {2: 0.25}),
    "selection.delta": (0.4, 0.4),
    "selection.growth": ("double", "add"),
    "adaptation_steps": (30000, 30000),
    "distillation.steps": (200, 201),
    "distillation.weight": (0.5, 0.5),
    "distillation.temperature": (0.5, 2.0),
    "distillation.over_classes": ("sum", "mean"),
    "style_beta": (0.01, 0.01),
    "crop": (None, None),
    "flip": (False, False),
}

# The released codes of the methods with two heads, which agree but for their lengths: preset paper.
TWO_HEADS = {
    "batch": 1,
    "segmenter.kind": "sgd",
    "segmenter.lr": 2.5e-4,
    "segmenter.head_lr_factor": 10,
    "segmenter.momentum": 0.9,
    "segmenter.weight_decay": 5e-4,
    "segmenter.power": 0.9,
    "segmenter.horizon": 250_000,
    "loss.kind": "cross_entropy",
    "discriminators.lr": 1e-4,
    "discriminators.beta1": 0.9,
    "discriminators.beta2": 0.99,
    "heads.auxiliary_segmentation": 0.1,
    "heads.auxiliary_weight": 2e-4,
    "heads.weight": 1e-3,
    "heads.discriminators_at": "image",
}
LENGTHS = {"adaptsegnet": 150_000, "advent": 120_000, "fsda": 24_000}


def read(method, key):
    for part in key.split("."):
        method = getattr(method, part)
    return method


@pytest.mark.parametrize("key", PIXDA)
@pytest.mark.parametrize("preset", ["paper", "official"])
def test_each_value_of_the_published_presets(key, preset):
    assert read(build("pixda", preset), key) == PIXDA[key][preset == "official"]


@pytest.mark.parametrize("key", TWO_HEADS)
@pytest.mark.parametrize("method", LENGTHS)
def test_each_value_of_the_methods_with_two_heads(method, key):
    assert read(build(method), key) == TWO_HEADS[key]


@pytest.mark.parametrize("method", LENGTHS)
def test_each_length_of_the_methods_with_two_heads(method):
    assert build(method).steps == LENGTHS[method]
    assert build(method, "small").heads.discriminators_at == "logits", "as the small preset has it for PixDA"


def test_fsda_filters_at_95_percent_and_starts_from_80000_steps():
    assert build("fsda").confidence == 0.95
    assert build("fsda").pretrain_steps == 80_000


def test_only_their_maps_and_lengths_tell_adaptsegnet_from_advent():
    one, other = build("adaptsegnet"), build("advent")
    assert (one.maps, other.maps) == ("softmax", "self_information")
    assert build("advent", steps=one.steps).__dict__ == one.__dict__
    assert [phase.maps for method in (one, other) for phase in method.phases()[1:]] == ["softmax", "self_information"]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_every_preset(method, preset):
    phases = build(method, preset).phases()
    assert phases[0].name == "pretrain"
    assert all(phase.optimiser.horizon for phase in phases), "the schedule's horizon is settled"
    assert len({phase.name for phase in phases}) == len(phases)


def test_the_released_updates_are_those_of_sgd():
    official = build("pixda", "official")
    with pytest.raises(UserError, match=r"as_released is how the released SGD works"):
        replace(official, segmenter=replace(official.segmenter, kind="adamw")).phases()


@pytest.mark.parametrize("preset", ["small", "laptop", "one_gpu", "demo"])
def test_small_presets_give_every_method_the_same_number_of_steps(preset):
    assert len({sum(phase.steps for phase in build(method, preset).phases()) for method in METHODS}) == 1
    assert len({build(method, preset).batch for method in METHODS}) == 1, "and of as many images"


def test_the_phases_of_pixda_are_those_of_the_paper():
    phases = build("pixda").phases()
    assert [phase.name for phase in phases] == ["pretrain", "adapt", "distil"]
    assert phases[2].continues, "fine-tuning goes on with the optimiser of adaptation"


# field -> (paper, official, small); no code of the original is released, so "official" is PixDA's for what is shared.
NAAE = {
    "steps": (100000, 30000, 500),
    "batch": (4, 4, 4),
    "segmenter.lr": (2.5e-4, 1e-3, 1e-4),
    "nets.lr": (1e-4, 1e-4, 4e-4),
    "nets.beta1": (0.9, 0.9, 0.9),
    "nets.beta2": (0.99, 0.99, 0.99),
    "weighting.weights": ("shared", "shared", "shared"),
    "weighting.normalise": (False, False, False),
    "weighting.adversarial": (0.001, 0.001, 0.001),
    "weighting.discriminators_at": ("image", "image", "logits"),
}


@pytest.mark.parametrize("key", NAAE)
def test_each_value_of_the_naae_style_reconstruction(key):
    assert tuple(read(build("naae", preset), key) for preset in ("paper", "official", "small")) == NAAE[key]


def test_naae_style_weighs_cross_entropy_and_its_rate_lasts_to_the_end():
    pretrain, weigh = build("naae").phases()
    assert (pretrain.name, weigh.name) == ("pretrain", "weigh")
    assert (pretrain.loss.kind, weigh.loss.kind) == ("focal", "cross_entropy")
    assert (pretrain.optimiser.horizon, weigh.optimiser.horizon) == (62500, 100000)
    assert build("naae", steps=1000).phases()[1].optimiser.horizon == 62500
    assert build("naae", "small").phases()[1].optimiser.horizon == 500


def test_departures_name_what_differs_from_the_preset():
    assert departures(build("pixda", "official"), "pixda", "official") == {}
    changed = departures(build("pixda", "official"), "pixda", "paper")
    assert changed["discriminators.lr"] == 4e-4
    assert "discriminators.beta1" not in changed


@pytest.mark.parametrize(("method", "preset", "said"), [("pixd", "paper", "source_only"), ("pixda", "x", "official")])
def test_unknown_names_list_the_choices(method, preset, said):
    with pytest.raises(UserError, match=said):
        build(method, preset)
