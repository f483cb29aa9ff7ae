"""What a user chooses of a prediction. No torch here: ``pixda --help`` reads it."""

from typing import Literal

Output = Literal["colour", "overlay", "ids", "confidence"]
"""A kind of picture; each has a folder of its own."""

ENDINGS: dict[Output, str] = {"colour": ".png", "overlay": ".jpg", "ids": ".png", "confidence": ".png"}
"""Kind of picture -> ending of its files."""

VIDEO_ENDING = ".mp4"
"""Of an overlay video, whatever the ending of the video it was made from."""
