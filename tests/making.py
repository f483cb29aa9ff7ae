"""Phases with settings that suit one small step, of which a test names only what it is about."""

from typing import Any

from pixda.phases.adversarial import Adversarial
from pixda.phases.distillation import Distillation
from pixda.phases.fourier import Fourier
from pixda.phases.image_adversarial import ImageAdversarial
from pixda.phases.pairing import Pairing
from pixda.phases.phase import Context, Phase
from pixda.phases.self_training import MeanTeacher
from pixda.phases.settings import (
    Alignment,
    DiscriminatorOptimiser,
    DistillationSettings,
    Heads,
    SegmentationLoss,
    SegmenterOptimiser,
    Selection,
    Teaching,
    WeightingSettings,
)
from pixda.phases.supervised import Supervised
from pixda.phases.weighting import Weighting

SGD = SegmenterOptimiser(lr=1e-2, horizon=100)
CE = SegmentationLoss(kind="cross_entropy")
DISCRIMINATORS = {"discriminator_optimiser": DiscriminatorOptimiser(lr=1e-3)}
# Large enough, and all different, that no term can be missed or taken for another.
HEADS = {"loss": CE, "heads": Heads(auxiliary_segmentation=0.3, weight=0.9, auxiliary_weight=0.6)}
SETTINGS: dict[type[Phase], dict[str, Any]] = {
    Supervised: {"name": "joint", "on": "both"},
    Adversarial: {
        "name": "adapt", "alignment": Alignment(weight=1.0), "selection": Selection(), "style_beta": 0.01
    } | DISCRIMINATORS,
    Distillation: {"name": "distil", "distillation": DistillationSettings(steps=10)},
    ImageAdversarial: {"name": "align", "maps": "softmax", "target_labels": True} | HEADS | DISCRIMINATORS,
    # Of four classes: an untrained head is surer than this of some pixels, and not of others.
    Pairing: {"name": "pair", "confidence": 0.4} | HEADS | DISCRIMINATORS,
    Weighting: {"name": "weigh", "loss": CE, "weighting": WeightingSettings()} | DISCRIMINATORS,
    Fourier: {"name": "transfer", "bands": (0.05, 0.2), "entropy_weight": 0.7, "eta": 2.0, "target_labels": False},
    MeanTeacher: {"name": "self-train", "teaching": Teaching()},
}  # fmt: skip


def make(kind: type[Phase], context: Context | None = None, **changes: Any) -> Any:
    """A phase of this kind with these settings, prepared where a context is given."""
    every = {"steps": 10, "batch": 2, "optimiser": SGD, "loss": SegmentationLoss()}
    phase = kind(**(every | SETTINGS[kind] | changes))
    if context is not None:
        phase.prepare(context, None)
    return phase
