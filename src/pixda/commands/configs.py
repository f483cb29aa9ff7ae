"""``pixda configs``."""

from collections.abc import Sequence

from pixda.errors import UserError
from pixda.shipped import find_config, names


def configs(words: Sequence[str]) -> None:
    """List the shipped configs, or print one: pixda configs streets_to_camvid/joint > mine.yaml."""
    if not words:
        print("\n".join(names()))
    elif len(words) == 1 and not words[0].startswith("-"):
        print(find_config(words[0]).read_text(encoding="utf-8"), end="")
    elif words[0] in ("-h", "--help"):
        print(configs.__doc__)
    else:
        raise UserError("pixda configs takes no options: pixda configs, or pixda configs NAME.")
