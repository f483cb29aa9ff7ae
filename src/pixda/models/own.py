"""A network given in Python: any module that maps images to class scores."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.models.normalise import Scale
from pixda.models.segmenter import Segmenter
from pixda.reading import one_line

ARCHITECTURE = "own"
"""The name of such a network in a run's config and in its saved model."""


class Own(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> the module's logits B x C x h x w.

    The module gets images on the scale of ``normalisation``. It returns logits at any stride, or a dict with them as
    ``out``, as torchvision's models do. It learns at the backbone's rate, except for parts whose name starts with one
    of ``new``, which learn at the head's.
    """

    def __init__(
        self, module: nn.Module, classes: ClassSet, normalisation: str | Scale = "imagenet", new: tuple[str, ...] = ()
    ) -> None:
        super().__init__(module, nn.Identity(), classes, normalisation)
        self.new = new
        self.recipe = {"architecture": ARCHITECTURE}
        self.origin = f"the weights that {type(module).__name__} came with"

    def forward(self, images: Tensor) -> Tensor:
        """RGB float B x 3 x H x W in 0..255 -> logits B x C x h x w."""
        found: Any = self.backbone(self.normalise(images))
        logits: Tensor = found["out"] if isinstance(found, dict) else found
        return logits

    def check(self, crop: tuple[int, int], whole: tuple[int, int], batch: int) -> None:
        """Raise UserError if the module does not return one map of scores for each class."""
        training = self.training
        try:
            with torch.no_grad():
                logits = self.eval()(torch.zeros(1, 3, crop[1], crop[0]))
        except Exception as error:  # the module is not ours: it may raise anything
            raise UserError(
                f"The module {type(self.backbone).__name__} cannot take an image of {crop[0]} x {crop[1]} "
                f"({type(error).__name__}: {one_line(error)})."
            ) from error
        finally:
            self.train(training)
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        count = len(self.classes.names)
        if not isinstance(logits, Tensor) or logits.ndim != 4 or logits.shape[1] != count:
            raise UserError(
                f"The module {type(self.backbone).__name__} gives {shape} for one image; it has to give logits "
                f"1 x {count} x h x w, one map for each class of '{self.classes.name}'."
            )

    def _is_new(self, name: str) -> bool:
        return name.removeprefix("backbone.").startswith(self.new)


def as_segmenter(
    network: nn.Module, classes: ClassSet, normalisation: str | Scale = "imagenet", new: tuple[str, ...] = ()
) -> Segmenter:
    """A copy of the network as a segmenter of this class set. A `Segmenter` is only copied.

    Raises:
        UserError: a segmenter of another class set.
    """
    if not isinstance(network, Segmenter):
        return Own(copy.deepcopy(network), classes, normalisation, new)
    if network.classes.names != classes.names:
        raise UserError(
            f"The segmenter is for the classes of '{network.classes.name}', and the run for those of '{classes.name}'."
        )
    segmenter = copy.deepcopy(network)
    segmenter.recipe = segmenter.recipe or {"architecture": ARCHITECTURE}
    return segmenter
