"""Sets of values for the same fields. A method takes from a preset what it has a field for.

``paper`` is the dataclasses' own defaults: what the paper states, and where it contradicts itself or is silent,
what the released code does. ``official`` is the released code. ``small`` is for a small machine and a small
network: crops, AdamW, discriminators at the logits' size, a few hundred steps a phase. Results made with it say so.
``laptop`` and ``one_gpu`` are for what a user has. ``demo`` is smaller still: five runs in ten minutes of two cores.
"""

from typing import Any

from pixda.data.config import Augmentation
from pixda.phases.settings import (
    Alignment,
    DiscriminatorOptimiser,
    DistillationSettings,
    Heads,
    SegmentationLoss,
    SegmenterOptimiser,
    Selection,
    WeightingSettings,
)

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    # For another method: PixDA's released code's way to learn, and its length, so that the two compare.
    "official": {
        "batch": 4,  # the learning rate below was scaled to it
        "steps": 30000,
        "pretrain_steps": 30000,
        "segmenter": SegmenterOptimiser(lr=1e-3, updates="as_released"),
        "loss": SegmentationLoss(alpha=0.75, alpha_exceptions={2: 0.25}, log_epsilon=1e-6),
        "discriminators": DiscriminatorOptimiser(lr=4e-4),
        "alignment": Alignment(difficulty_in_graph=True),
        "selection": Selection(growth="add"),
        "distillation": DistillationSettings(steps=201, temperature=2.0, over_classes="mean"),
    },
    # Every method takes 500 steps after pretraining, so that a table compares equal budgets.
    "small": {
        "batch": 4,
        "crop": (320, 240),
        "flip": True,
        "segmenter": SegmenterOptimiser(kind="adamw", lr=1e-4, weight_decay=1e-4, horizon=None),
        "loss": SegmentationLoss(kind="cross_entropy"),
        "pretrain_steps": 700,
        "steps": 500,
        "more_steps": 500,
        "tuning_steps": 500,
        "joint_steps": 500,
        "labelled_steps": 250,
        "teaching_steps": 250,
        "bands": (0.01,),
        "rounds": 0,
        "adaptation_steps": 400,
        "discriminators": DiscriminatorOptimiser(lr=4e-4),
        "nets": DiscriminatorOptimiser(lr=4e-4),
        "alignment": Alignment(discriminators_at="logits"),
        "heads": Heads(discriminators_at="logits"),
        "weighting": WeightingSettings(discriminators_at="logits"),
        "distillation": DistillationSettings(steps=100),
    },
}
# For who has two cores and half an hour; measured in docs/results/recommended.md.
PRESETS["laptop"] = PRESETS["small"] | {
    "augmentation": Augmentation(scale=(0.7, 1.6)),
    "steps": 400,
    "more_steps": 400,
    "tuning_steps": 400,
    "joint_steps": 400,
    "labelled_steps": 200,
    "teaching_steps": 200,
    "adaptation_steps": 320,
    "distillation": DistillationSettings(steps=80),
}
# For who has one GPU: about ten times the images; measured in docs/results/gpu.md.
PRESETS["one_gpu"] = PRESETS["small"] | {
    "batch": 16,
    "pretrain_steps": 1200,
    "steps": 600,
    "more_steps": 600,
    "tuning_steps": 600,
    "joint_steps": 600,
    "labelled_steps": 300,
    "teaching_steps": 300,
    "adaptation_steps": 500,
    "distillation": DistillationSettings(steps=100),
}
PRESETS["demo"] = PRESETS["small"] | {
    "crop": (256, 192),
    "pretrain_steps": 170,
    "steps": 95,
    "more_steps": 95,
    "tuning_steps": 95,
    "joint_steps": 95,
    "labelled_steps": 50,
    "teaching_steps": 45,
    "adaptation_steps": 68,
    "distillation": DistillationSettings(steps=27),
}
