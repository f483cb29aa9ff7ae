"""Files that somebody may drop on the page: good ones, and all kinds of bad ones."""

import io

import numpy as np
from PIL import Image


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def photo(size=(64, 48), seed=0):
    """Grey road below, blue sky above, and noise: what the tests' models have learned."""
    width, height = size
    pixels = np.full((height, width, 3), (96, 153, 242), float)
    pixels[height // 2 :] = (72, 81, 99)
    pixels += np.random.default_rng(seed).normal(0, 8, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def bad_uploads():
    """Name -> bytes, and what the page says of it."""
    whole = png(photo())
    return {
        "cut.png": (whole[: len(whole) // 2], "cut.png cannot be decoded to its end; it may be cut short."),
        "words.png": (b"This is no image.", "words.png is no image that can be read here"),
        "empty.png": (b"", "empty.png is no image that can be read here"),
        # A tenth of a megabyte that would be 900 million pixels.
        "bomb.png": (png(Image.new("1", (30_000, 30_000))), "bomb.png would be far too large once it is decoded."),
        "wide.png": (png(Image.new("1", (9_000, 6_000))), "wide.png has 9000 x 6000 pixels, more than the 50 million"),
        "deep.png": (png(Image.new("I;16", (8, 8))), "deep.png has 16 or more bits a channel; save it with 8."),
        # A page for a browser that calls itself an image.
        "page.png": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "page.png is no image"),
    }
