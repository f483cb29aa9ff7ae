"""A model on a user's own images and videos. No torch here, so that ``pixda --help`` stays quick."""

from typing import Literal

Output = Literal["colour", "overlay", "ids", "confidence"]
"""A kind of picture; each has a folder of its own."""

ENDINGS: dict[Output, str] = {"colour": ".png", "overlay": ".jpg", "ids": ".png", "confidence": ".png"}
"""Kind of picture -> ending of its files."""

VIDEO_ENDING = ".mp4"
"""The ending of overlay videos."""
