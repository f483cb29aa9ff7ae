"""From raw ids to class indices, and from class indices to B."""

import numpy as np

from benchmarks.part import Forms, Part, near
from benchmarks.plain import data as plain_data
from benchmarks.plain import losses as plain
from benchmarks.setting import Setting
from pixda.data.labels import Labels
from pixda.losses.adversarial import rarity


def known_codes(labels: Labels) -> dict[int, int]:
    """Code to class index, less the codes that are ignored."""
    classes = labels.classes_of(labels.codes)
    return {int(code): int(index) for code, index in zip(labels.codes, classes, strict=True) if index != 255}


def _decoding(setting: Setting) -> Forms:
    labels = setting.classes.labels("cityscapes")
    known = known_codes(labels)
    patches = setting.labels(1, 5)[0].cpu().numpy()
    raw = np.array([*known, 0], np.uint8)[np.minimum(patches, len(known))]

    def check() -> str:
        np.testing.assert_array_equal(labels.decode(raw), plain_data.decoded_labels(raw, known))
        return "exact"

    return Forms(lambda: plain_data.decoded_labels(raw, known), lambda: labels.decode(raw), check, 2 * raw.nbytes)


def _rarity(setting: Setting) -> Forms:
    labels = setting.labels(setting.batch, 6)
    return Forms(
        lambda: plain.rarity(labels),
        lambda: rarity(labels),
        lambda: near(rarity(labels), plain.rarity(labels), atol=1e-7),
        traffic=2 * labels.nbytes + labels.numel() * 4,
    )


PARTS = [
    Part("labels", "label decoding, one frame", _decoding, at_least=20),
    Part("rarity", "rarity map B", _rarity, at_least=10),
]
