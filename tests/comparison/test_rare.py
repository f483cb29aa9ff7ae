"""Which classes are rare."""

from comparisons import shares
from pixda.comparison.rare import RARE_SHARE, rare_classes
from pixda.data.classes import ClassSet


def test_on_cityscapes_these_ten():
    found = rare_classes(shares(ClassSet.load("cityscapes-19")))
    assert " ".join(found) == "wall fence traffic light traffic sign rider truck bus train motorcycle bicycle"


def test_a_class_at_the_limit_is_not_rare_and_one_without_pixels_is_absent():
    assert rare_classes({"a": 0.0, "b": RARE_SHARE, "c": 1e-9, "d": 0.5, "e": RARE_SHARE - 1e-9}) == ("c", "e")
    assert rare_classes({"a": 0.02, "b": 0.2}, limit=0.1) == ("a",)
    assert rare_classes({}) == ()
