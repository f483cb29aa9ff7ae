"""The hyper-parameters of the phases, in groups. No torch here: ``pixda --help`` reads these and must be quick."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class SegmenterOptimiser:
    """How the segmenter learns."""

    kind: Literal["sgd", "adamw"] = "sgd"
    """Stochastic gradient descent (paper), or AdamW (small networks, short runs)."""
    lr: float = 2.5e-4
    """Learning rate of the backbone."""
    head_lr_factor: float = 10.0
    """The head learns this many times faster."""
    momentum: float = 0.9
    """Momentum of SGD; AdamW ignores it."""
    weight_decay: float = 5e-4
    """Weight decay."""
    power: float = 0.9
    """Exponent of the polynomial decay (1 - step / horizon) ** power."""
    updates: Literal["once", "as_released"] = "once"
    """Updates of a weight in a step of SGD: once, or as often as the released code names it in its optimiser's list,
    three to four times for the blocks of a ResNet (other networks: once)."""
    horizon: int | None = 62500
    """Optimiser steps after which the rate is zero; null: the steps planned for the optimiser's own phases."""


@dataclass(frozen=True)
class DiscriminatorOptimiser:
    """How the discriminators learn (Adam)."""

    lr: float = 1e-5
    """Learning rate; it decays as the segmenter's does."""
    beta1: float = 0.9
    """Decay of Adam's first moment."""
    beta2: float = 0.99
    """Decay of Adam's second moment."""


@dataclass(frozen=True)
class SegmentationLoss:
    """The loss from labels (eq. 1)."""

    kind: Literal["focal", "cross_entropy"] = "focal"
    """Focal loss (paper), or cross entropy (an ablation)."""
    gamma: float = 2.0
    """Focusing power of the focal loss."""
    alpha: float = 0.25
    """Weight of a class in the focal loss."""
    log_epsilon: float = 0.0
    """Added to the probability in the focal loss, which the released code has at 1e-6: it caps the loss of a pixel."""
    alpha_exceptions: dict[int, float] = field(default_factory=dict)
    """Class index -> another weight. The released code has {2: 0.25} (building) beside 0.75."""


@dataclass(frozen=True)
class Alignment:
    """What the segmenter must fool, and which pixels count (eq. 2-6)."""

    discriminator: Literal["pixel", "image", "none"] = "pixel"
    """Align pixel by pixel (PixDA), by image patches (Table 3's first row), or not at all."""
    weight: float = 0.1
    """lambda: 0.1 for GTA5, 1 for SYNTHIA."""
    rarity: bool = True
    """B: weigh a pixel by how rare its class is in the image."""
    difficulty: bool = True
    """S: weigh a pixel by how badly it is classified."""
    difficulty_in_graph: bool = False
    """Let gradients flow through S, as the released code does and the paper does not."""
    discriminators_at: Literal["image", "logits"] = "image"
    """Size of the maps the discriminators see: the image's (paper), or the logits' own (far cheaper)."""


@dataclass(frozen=True)
class Heads:
    """The main head, whose weight from labels is one, and the auxiliary head on middle features."""

    auxiliary_segmentation: float = 0.1
    """Weight of the auxiliary head's loss from labels."""
    weight: float = 1e-3
    """lambda of the main head's adversarial terms."""
    auxiliary_weight: float = 2e-4
    """lambda of the auxiliary head's adversarial terms."""
    discriminators_at: Literal["image", "logits"] = "image"
    """Size of the maps the discriminators see, of both heads: the image's (papers), or the main head's logits' own."""


@dataclass(frozen=True)
class WeightingSettings:
    """How much a synthetic pixel counts (NAAE-style, our reconstruction)."""

    weights: Literal["shared", "per_class"] = "shared"
    """One map of weights for all classes, or one a class, of which a pixel takes its own class's."""
    normalise: bool = False
    """Divide the weights by their mean over the batch, so that the source never counts for less as a whole."""
    adversarial: float = 0.001
    """Weight of the image-wise adversarial loss on target maps; 0 leaves it and its discriminator out."""
    discriminators_at: Literal["image", "logits"] = "image"
    """Size of the maps that the weighting networks and the discriminator see: the image's, or the logits' (cheaper)."""


@dataclass(frozen=True)
class Selection:
    """Which source images stay for the next epoch (eq. 7-8)."""

    enabled: bool = True
    """Thin the source out after every epoch."""
    rule: Literal["threshold", "top"] = "threshold"
    """Keep what scores above a threshold (paper), or what scores highest (named by the paper; our reconstruction)."""
    delta: float = 0.4
    """First threshold on the mean of -log P(source); images above it are kept. At chance: 0.693."""
    growth: Literal["double", "add"] = "double"
    """After every epoch the threshold doubles (paper) or grows by its first value (released code)."""
    top: float = 0.5
    """For rule: top, below 1 the share of the images judged that stays, from 1 on their number (of each source)."""


@dataclass(frozen=True)
class Teaching:
    """Self-training: the teacher of unlabelled frames, and what the network is shown with its labels."""

    weight: float = 0.5
    """Weight of what is learned from the teacher's labels, beside that of true labels, which is one."""
    momentum: float = 0.99
    """After every step the teacher keeps this share of its weights and takes the rest from the network."""
    threshold: float = 0.9
    """Confidence that pixels of the surest class must reach; those of the others less, in proportion."""
    class_mix: bool = True
    """Paste half of the classes of a source image or a shot onto the unlabelled image, with their labels."""
    hidden: float = 0.0
    """Share 0..1 of an unlabelled image's blocks that is hidden (masked image consistency); 0 leaves that pass out."""
    block: int = 32
    """Side of such a block, pixels."""
    colour: float = 0.2
    """Strength 0..1 of changed colours on the network's mixed images; the teacher sees them as they are."""


@dataclass(frozen=True)
class DistillationSettings:
    """Fine-tuning on the shots with the network as it stood for a teacher (eq. 9)."""

    steps: int = 200
    """Optimiser steps; 0 leaves the phase out."""
    weight: float = 0.5
    """lambda_kd; 0 is plain fine-tuning."""
    temperature: float = 0.5
    """The teacher's logits are divided by it."""
    over_classes: Literal["sum", "mean"] = "sum"
    """Sum over classes (paper), or mean (released code)."""
