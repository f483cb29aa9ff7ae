"""What one run is: data, network, machine. No torch here: ``pixda --help`` reads it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pixda.data.config import Data, Target


@dataclass(frozen=True)
class Network:
    """The segmenter."""

    architecture: str = "deeplab_resnet101"
    """deeplab_resnet101, deeplab_resnet50, fcn8s, mobile_deeplab, huggingface, or tiny (for trying commands)."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the architecture: {frozen_statistics: true}, or {name: FOLDER} for a model of Hugging Face."""
    weights: str | None = None
    """Pretrained backbone: a local path, or an https address together with sha256; null starts at random."""
    sha256: str | None = None
    """Hash that the weights file must have."""


@dataclass(frozen=True)
class Machine:
    """Where a run happens; nothing here changes what is computed."""

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """Kind of device."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Arithmetic; bf16-mixed halves time and memory on recent GPUs."""
    threads: int | None = None
    """CPU threads of a process; null leaves it to torch."""
    workers: int = 2
    """Loader processes of each stream; 0 loads in the training process."""
    images_at_a_time: int | None = None
    """Images of a batch that are in the segmenter at a time: less memory, one more forward pass; null: all of them."""
    cache: Path | None = None
    """Folder for a cache of decoded samples, 4 bytes a pixel (2 MB a frame of 1024 x 512); null: decode every time."""


@dataclass(frozen=True)
class Experiment:
    """A source, a target, a network and a seed; the method comes beside it."""

    source: Data
    """Many labelled synthetic frames."""
    target: Target
    """A handful of labelled real ones, and the set to score on."""
    more_sources: list[Data] = field(default_factory=list)
    """Further sources of labelled synthetic frames; every source batch is shared among all sources."""
    unlabelled: Data | None = None
    """Real frames without labels, for methods that learn from such (pixda, adaptsegnet, advent, fda): no masks."""
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
    checkpoint_every: int = 500
    """Steps between two checkpoints."""

    def sources(self) -> list[Data]:
        """All sources, the first one first."""
        return [self.source, *self.more_sources]


def plain(value: Any) -> Any:
    """Paths and tuples as what JSON and YAML hold."""
    return json.loads(json.dumps(value, default=str))
