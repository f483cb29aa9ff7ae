"""Scoring at 2048 x 1024."""

import numpy as np
import torch

from benchmarks.part import Forms, Part
from benchmarks.plain import metrics as plain
from benchmarks.setting import CLASSES, Setting
from pixda.metrics import ConfusionMatrix


def _confusion(setting: Setting) -> Forms:
    labels = setting.labels(1, 1, setting.scored)[0].to(torch.uint8)
    predicted = setting.labels(1, 2, setting.scored)[0].clamp_max(CLASSES - 1).to(torch.uint8)
    matrix = ConfusionMatrix(setting.classes, setting.device)
    wide = predicted.long().cpu().numpy(), labels.long().cpu().numpy()  # as argmax and the losses have them

    def of_plain() -> np.ndarray:
        return plain.confusion(*wide, CLASSES)

    def check() -> str:
        one = ConfusionMatrix(setting.classes, setting.device)
        one.update(predicted, labels)
        np.testing.assert_array_equal(one.counts.cpu().numpy(), of_plain())
        return "exact"

    return Forms(of_plain, lambda: matrix.update(predicted, labels), check, 2 * labels.nbytes)


PARTS = [Part("confusion", "confusion matrix", _confusion, at_least=7)]
