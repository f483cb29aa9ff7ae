import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pixda.data.frames import Frame
from pixda.data.shots import (
    cover,
    draw,
    draw_total,
    gta5_training_names,
    published,
    published_flaws,
    read_manifest,
    write_manifest,
)
from pixda.errors import UserError

CITIES = {
    "aachen", "bochum", "bremen", "cologne", "darmstadt", "dusseldorf", "erfurt", "hamburg", "hanover",
    "jena", "krefeld", "monchengladbach", "strasbourg", "stuttgart", "tubingen", "ulm", "weimar", "zurich",
}  # fmt: skip
FRAMES = [
    Frame(f"{city}/{number:03d}", city, Path("x"), None)
    for city, count in (("rome", 6), ("turin", 9), ("milan", 5))
    for number in range(count)
]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_published_lists_hold_k_frames_of_each_city(k: int) -> None:
    names = published(k)
    assert len(names) == 18 * k
    assert Counter(name.split("/")[0] for name in names) == dict.fromkeys(CITIES, k)
    assert all(name.split("/")[1].startswith(name.split("/")[0] + "_") for name in names)


def test_published_lists_keep_their_flaws() -> None:
    overlaps = [len(set(published(k)) & set(published(k + 1))) for k in range(1, 5)]
    assert overlaps == [0, 1, 2, 3]
    twice = [name for name, count in Counter(published(5)).items() if count > 1]
    assert twice == ["zurich/zurich_000112_000019"]
    assert all(len(set(published(k))) == 18 * k for k in range(1, 5))


def test_there_are_no_other_published_lists() -> None:
    for k in (0, 6):
        with pytest.raises(UserError, match=f"1 to 5 shots, not for {k}"):
            published(k)


def test_gta5_list() -> None:
    names = gta5_training_names()
    assert len(names) == len(set(names)) == 22061
    assert names == sorted(names)
    assert {"00001", "00003", "08688", "16742", "24966"} <= set(names)
    assert not {"00000", "00002", "15188", "17705", "24959", "24967"} & set(names)


def test_drawn_lists_are_nested_prefixes() -> None:
    lists = [draw(FRAMES, k, seed=3) for k in range(1, 6)]
    for k, (smaller, larger) in enumerate(pairwise(lists), start=1):
        assert larger[: len(smaller)] == smaller
        assert Counter(name.split("/")[0] for name in smaller) == {"rome": k, "turin": k, "milan": k}
        assert len(set(smaller)) == len(smaller)


def test_drawn_lists_depend_on_the_seed_alone() -> None:
    assert draw(FRAMES, 2, seed=0) == draw(FRAMES[::-1], 2, seed=0)
    assert len({tuple(draw(FRAMES, 2, seed)) for seed in range(10)}) > 5
    without_milan = [frame for frame in FRAMES if frame.city != "milan"]
    assert set(draw(without_milan, 2, seed=0)) < set(draw(FRAMES, 2, seed=0))


def test_drawn_lists_stay_what_they_are() -> None:
    # Other frames under the same seed would make results of two versions look comparable that are not.
    assert draw(FRAMES, 1, seed=0) == ["milan/004", "rome/000", "turin/007"]


def test_too_few_frames_name_the_city() -> None:
    with pytest.raises(UserError, match="6 shots were asked for, but the city 'milan' has 5"):
        draw(FRAMES, 6, seed=0)
    with pytest.raises(UserError, match="1 or more, not 0"):
        draw(FRAMES, 0, seed=0)


def test_manifest_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "shots.json"
    names = ["zürich/b", "aachen/a", "aachen/a"]
    written = write_manifest(path, names, "drawn, seed 3")
    assert read_manifest(path) == written
    assert written.names == names
    assert written.how == "drawn, seed 3"
    assert write_manifest(path, names, "by hand").sha256 == written.sha256
    assert write_manifest(path, names[::-1], "by hand").sha256 != written.sha256


def test_changed_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shots.json"
    write_manifest(path, ["aachen/a", "ulm/b"], "drawn")
    content = json.loads(path.read_text())
    content["names"][0] = "aachen/c"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"shots.json was changed"):
        read_manifest(path)


@pytest.mark.parametrize("text", ["", "aachen/a\nulm/b\n", "[]", "{}", '{"names": 3, "how": "", "sha256": ""}'])
def test_other_files_are_no_manifest(tmp_path: Path, text: str) -> None:
    path = tmp_path / "shots.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"shots.json cannot be read as"):
        read_manifest(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_manifest(tmp_path / "nowhere.json")


def test_totals_are_nested_and_spread() -> None:
    lists = [draw_total(FRAMES, count, seed=3) for count in range(1, 21)]
    for smaller, larger in pairwise(lists):
        assert larger[: len(smaller)] == smaller
    for names in lists:
        counts = Counter(name.split("/")[0] for name in names)
        assert len(set(names)) == len(names)
        if len(names) <= 15:  # until the smallest city has given all its five
            assert max(counts.values()) - min(counts[city] for city in ("rome", "turin", "milan")) <= 1
    assert {tuple(name.split("/")[0] for name in draw_total(FRAMES, 3, seed)) for seed in range(30)} > {
        ("rome", "turin", "milan")
    }, "no city always comes first"
    assert draw_total(FRAMES[::-1], 7, 1) == draw_total(FRAMES, 7, 1)
    for count in (0, 21):
        with pytest.raises(UserError, match=f"{count} shots were asked for; from 1 to 20"):
            draw_total(FRAMES, count, 0)


def test_covering_lists_show_every_class_as_early_as_greed_can() -> None:
    names = ["a", "b", "c", "d", "e"]
    shown = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 1, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]], bool)
    assert cover(names, shown, seed=0) == ["a", "d"], "d shows more than b; the last class is nowhere"
    lists = [cover(names, shown, 0, count) for count in range(1, 6)]
    for smaller, larger in pairwise(lists):
        assert larger[: len(smaller)] == smaller
    assert lists[3] == ["a", "d", "c", "b"], "begins again with what is left"
    assert sorted(lists[4]) == names
    with pytest.raises(UserError, match="6 shots were asked for; there are 5"):
        cover(names, shown, 0, 6)
    with pytest.raises(UserError, match="No frame shows any class"):
        cover(names, shown & False, 0)


def test_flaws_of_published_lists_are_told() -> None:
    assert published_flaws(1) == [
        "18 of the 18 frames for K = 1 are not in the list for K = 2: a curve over K compares different frames."
    ]
    assert "zurich/zurich_000112_000019 is in the list twice." in published_flaws(5)
    assert len(published_flaws(3)) == 2
