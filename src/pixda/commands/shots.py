"""``pixda shots``: choose the labelled target frames, and write them down."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from pixda.data.config import Data
from pixda.errors import UserError
from pixda.options import make_parser, parse

_HELP = """Choose the few labelled target frames and write them as a manifest for --target.shot_list. With one seed, a
longer list begins with the shorter one. Exactly one of --per_city, --total, --cover (which may have --total too)
and --published (which needs no --data)."""


def shots(words: Sequence[str]) -> None:
    """Choose the labelled target frames: so many a city or in all, showing every class, or as published."""
    published = any(word.partition("=")[0] == "--published" for word in words)
    parser = make_parser("shots", _HELP)
    if not published:
        parser.add_class_arguments(Data, "data")
    parser.add_argument("--classes", type=str, default="cityscapes-19", help="Class set: shipped name or YAML file.")
    parser.add_argument("--per_city", type=int | None, default=None, help="Draw K frames of each city.")
    parser.add_argument("--total", type=int | None, default=None, help="Draw N frames in all, spread over the cities.")
    parser.add_argument(
        "--cover",
        type=bool,
        default=False,
        help="Choose frames that show every class as early as possible. The labels of all frames are read for it.",
    )
    parser.add_argument("--published", type=int | None, default=None, help="The published Cityscapes list, K = 1 to 5.")
    parser.add_argument("--seed", type=int, default=0, help="Of the draw.")
    parser.add_argument("--out", type=Path, required=True, help="Manifest to write, such as shots.json.")
    given = parse(parser, words)
    ways = [given.per_city is not None, given.cover, given.published is not None]
    if sum(ways) + (given.total is not None and not given.cover) != 1:
        raise UserError("Say how to choose: one of --per_city K, --total N, --cover true, --published K.")
    from pixda.data import shots as lists

    if given.published is not None:
        names, how = lists.published(given.published), f"published list (FSDA, PixDA), K = {given.published}"
        for flaw in lists.published_flaws(given.published):
            print(f"as published: {flaw}")
    else:
        names, how = _chosen(given)
    try:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        manifest = lists.write_manifest(given.out, names, how)
    except OSError as error:
        raise UserError(f"The list cannot be written to {given.out}: {error}.") from error
    print(f"{len(names)} frames, {how}, sha256 {manifest.sha256[:12]}: --target.shot_list {given.out}")


def _chosen(given: Namespace) -> tuple[list[str], str]:
    """The names, and how they came about; says which classes they show."""
    import numpy as np

    from pixda.data.classes import ClassSet
    from pixda.data.open import open_dataset
    from pixda.data.shots import classes_in, cover, draw, draw_total

    dataset = open_dataset(given.data, ClassSet.load(given.classes))
    all_names = [frame.name for frame in dataset.frames]
    if given.cover:
        shown = classes_in(dataset)
        names = cover(all_names, shown, given.seed, given.total)
        how = f"showing every class early (labels of all {len(dataset)} frames were read), seed {given.seed}"
        shown = shown[[all_names.index(name) for name in names]]
    else:
        if given.total is not None:
            names = draw_total(dataset.frames, given.total, given.seed)
            how = f"drawn over all cities, seed {given.seed}"
        else:
            names = draw(dataset.frames, given.per_city, given.seed)
            how = f"drawn, {given.per_city} of each city, seed {given.seed}"
        shown = classes_in(dataset.subset(names))
    for number, name in enumerate(names, start=1):
        new = shown[number - 1] & ~shown[: number - 1].any(axis=0)
        print(f"{number:3} {name}: {', '.join(np.array(dataset.classes.names)[new]) or 'no class that is new'}")
    absent = np.array(dataset.classes.names)[~shown.any(axis=0)].tolist()
    print(f"classes that none of them shows: {', '.join(absent) or 'none'}")
    return names, how
