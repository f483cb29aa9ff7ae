"""Pictures beside one another: images, masks in the colours of their classes, and words at their edges."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from pixda.data.classes import ClassSet

_CELL = (320, 240)


def colourise(mask: Tensor, classes: ClassSet) -> Image.Image:
    """Class indices ``H x W`` (255 is black) in the colours of the class set."""
    return Image.fromarray(classes.palette()[mask.cpu().numpy()])


def picture(image: Tensor) -> Image.Image:
    """An image tensor ``3 x H x W``, RGB, 0..255 (clipped), as a picture."""
    return Image.fromarray(image.clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy())


@cache
def letters(size: int) -> ImageFont.FreeTypeFont:
    """A font with the letters of most languages (matplotlib's; Pillow's own has few beyond ASCII)."""
    return ImageFont.truetype(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def sheet(
    rows: Sequence[Sequence[Image.Image]],
    heads: Sequence[str],
    sides: Sequence[str],
    cell: tuple[int, int] = _CELL,
) -> Image.Image:
    """Pictures in rows and columns, a head over each column and a word beside each row.

    Args:
        rows: the pictures; all rows of one length.
        heads: a title for each column.
        sides: a title for each row.
        cell: (width, height) that every picture is brought to.
    """
    width, height, top, left = *cell, 18, 110
    board = Image.new("RGB", (left + len(heads) * (width + 4), top + len(rows) * (height + 4)), "white")
    pen = ImageDraw.Draw(board)
    for column, head in enumerate(heads):
        pen.text((left + column * (width + 4) + 4, 3), head, fill="black", font=letters(11))
    for line, (side, pictures) in enumerate(zip(sides, rows, strict=True)):
        y = top + line * (height + 4)
        pen.multiline_text((4, y + 4), side, fill="black", font=letters(11))
        for column, one in enumerate(pictures):
            board.paste(one.resize(cell, Image.Resampling.LANCZOS), (left + column * (width + 4), y))
    return board
