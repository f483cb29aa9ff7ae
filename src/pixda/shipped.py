"""The configs that come with the package, by name: ``streets_to_camvid/pixda``."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from pixda.errors import UserError
from pixda.words import leading

CONFIGS = Path(__file__).with_name("configs")


def names() -> list[str]:
    """All shipped configs, ``<source>_to_<target>/<method>``, and the grids of ``pixda compare``, ``compare/...``."""
    return sorted(path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.rglob("*.yaml"))


def find_config(given: str) -> Path:
    """The file of a config: a path of the user's own, or the name of a shipped one, with or without ``.yaml``.

    Raises:
        UserError: there is neither; it names those that are called much alike.
    """
    if Path(given).expanduser().exists():
        return Path(given).expanduser()
    name = given.removeprefix("configs/").removesuffix(".yaml")
    if name in names():
        return CONFIGS / f"{name}.yaml"
    near = difflib.get_close_matches(name, names(), 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "pixda configs lists those that are shipped."
    raise UserError(f"There is no file {given}, and no config of that name is shipped; {hint}")


def with_config(words: Sequence[str]) -> list[str]:
    """The words of a command that takes ``--config``, or a config as its first words, with names made into files."""
    found = leading(words, "--config")
    if found and found[0] == "--config" and len(found) > 2 and not found[2].startswith("-"):
        raise UserError(f"'{found[2]}' is one word too many: options begin with --, such as --out {found[2]}.")
    for place, word in enumerate(found):
        if word == "--config" and place + 1 < len(found):
            found[place + 1] = str(find_config(found[place + 1]))
        elif word.startswith("--config="):
            found[place] = f"--config={find_config(word.removeprefix('--config='))}"
    return found
