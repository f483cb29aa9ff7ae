import json
from pathlib import Path

import numpy as np
import pytest

from pixda.data.classes import IGNORE, UNKNOWN, ClassSet
from pixda.errors import UserError

_CITYSCAPES_19 = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13,
    27: 14, 28: 15, 31: 16, 32: 17, 33: 18,
}  # fmt: skip
_CITYSCAPES_11 = {
    23: 0, 11: 1, 12: 1, 17: 2, 18: 2, 7: 3, 8: 4, 21: 5, 22: 5, 19: 6, 20: 6, 13: 7, 14: 7, 26: 8, 27: 8,
    28: 8, 24: 9, 25: 10, 33: 10,
}  # fmt: skip

# (class set, label scheme, raw id to class, number of ids there are, from 0 on)
TABLES = [
    ("cityscapes-19", "cityscapes", _CITYSCAPES_19, 34),
    ("cityscapes-19", "gta5", _CITYSCAPES_19, 35),
    (
        "cityscapes-19",
        "synthia",
        {
            1: 10, 2: 2, 3: 0, 4: 1, 5: 4, 6: 8, 7: 5, 8: 13, 9: 7, 10: 11, 11: 18, 12: 17, 15: 6, 16: 9,
            17: 12, 18: 14, 19: 15, 20: 16, 21: 3, 22: 0,
        },
        23,
    ),
    (
        "cityscapes-19",
        "idda",
        {
            1: 2, 2: 4, 4: 11, 5: 5, 6: 0, 7: 0, 8: 1, 9: 8, 10: 13, 11: 3, 12: 7, 13: 6, 16: 18, 17: 17,
            18: 12, 19: 9, 20: 10,
        },
        24,
    ),
    ("cityscapes-19", "carla", {1: 2, 2: 4, 4: 11, 5: 5, 6: 0, 7: 0, 8: 1, 9: 8, 10: 13, 11: 3, 12: 7}, 13),
    ("cityscapes-19", "camvid", {0: 10, 1: 2, 2: 5, 3: 0, 4: 1, 5: 8, 6: 7, 7: 4, 8: 13, 9: 11}, 12),
    ("cityscapes-19", "urbansyn", {number: number for number in range(19)}, 20),
    (
        "cityscapes-19",
        "carla29",
        {
            1: 0, 24: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7, 9: 8, 10: 9, 11: 10, 12: 11, 13: 12, 14: 13,
            15: 14, 16: 15, 17: 16, 18: 17, 19: 18,
        },
        29,
    ),
    (
        "camvid-11",
        "carla29",
        {
            11: 0, 3: 1, 4: 1, 6: 2, 1: 3, 24: 3, 2: 4, 9: 5, 10: 5, 7: 6, 8: 6, 5: 7, 28: 7, 14: 8, 15: 8, 16: 8,
            12: 9, 13: 10, 19: 10,
        },
        29,
    ),
    (
        "camvid-11",
        "urbansyn",
        {
            10: 0, 2: 1, 3: 1, 5: 2, 0: 3, 1: 4, 8: 5, 9: 5, 6: 6, 7: 6, 4: 7, 13: 8, 14: 8, 15: 8, 11: 9, 12: 10,
            18: 10,
        },
        20,
    ),
    ("camvid-11", "camvid", {raw: raw for raw in range(11)}, 12),
    ("camvid-11", "cityscapes", _CITYSCAPES_11, 34),
    ("camvid-11", "gta5", _CITYSCAPES_11, 35),
    (
        "camvid-11",
        "synthia",
        {
            1: 0, 2: 1, 21: 1, 7: 2, 3: 3, 22: 3, 4: 4, 6: 5, 16: 5, 9: 6, 15: 6, 5: 7, 8: 8, 18: 8, 19: 8,
            10: 9, 11: 10, 17: 10,
        },
        23,
    ),
    ("camvid-11", "carla", {1: 1, 11: 1, 2: 7, 4: 9, 5: 2, 6: 3, 7: 3, 8: 4, 9: 5, 10: 8, 12: 6}, 13),
]  # fmt: skip
TO_CLASS = {(name, scheme): table for name, scheme, table, _ in TABLES}


@pytest.mark.parametrize(("name", "scheme", "to_class", "count"), TABLES, ids=[f"{t[0]} {t[1]}" for t in TABLES])
def test_every_raw_id_of_every_scheme(name: str, scheme: str, to_class: dict[int, int], count: int) -> None:
    table = ClassSet.load(name).labels(scheme).table
    assert table.dtype == np.uint8
    assert table.shape == (256,)
    for raw in range(256):
        expected = to_class.get(raw, IGNORE) if raw < count else UNKNOWN
        assert table[raw] == expected, f"raw id {raw}"


def test_no_scheme_of_a_shipped_set_is_untested() -> None:
    for name in {table[0] for table in TABLES}:
        assert set(ClassSet.load(name).raw_ids) == {table[1] for table in TABLES if table[0] == name}


def test_cityscapes_names_colours_and_protocols(cityscapes19: ClassSet) -> None:
    assert cityscapes19.names == (
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
        "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
        "motorcycle", "bicycle",
    )  # fmt: skip
    assert cityscapes19.colours == (
        (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
        (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60),
        (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
    )  # fmt: skip
    assert cityscapes19.protocols == {
        "19": tuple(range(19)),
        "16": (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18),
        "13": (0, 1, 2, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18),
    }


def test_camvid_names_and_protocols(camvid11: ClassSet) -> None:
    assert camvid11.names == (
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian",
        "bicyclist",
    )  # fmt: skip
    assert camvid11.protocols == {"11": tuple(range(11))}


def test_classes_that_a_scheme_cannot_label(cityscapes19: ClassSet, camvid11: ClassSet) -> None:
    assert cityscapes19.missing_in("gta5") == []
    assert cityscapes19.missing_in("idda") == ["truck", "bus", "train"]
    assert camvid11.missing_in("carla") == ["sky", "bicyclist"]


@pytest.mark.parametrize("name", ["cityscapes-19", "camvid-11"])
def test_survives_json(name: str) -> None:
    classes = ClassSet.load(name)
    assert ClassSet.from_dict(json.loads(json.dumps(classes.to_dict()))) == classes


@pytest.mark.parametrize("data", [{}, {"name": "x"}, {**ClassSet.load("camvid-11").to_dict(), "colours": [3]}])
def test_damaged_dict_is_refused(data: dict) -> None:
    with pytest.raises(UserError, match="damaged"):
        ClassSet.from_dict(data)


def test_own_file(tmp_path: Path) -> None:
    path = tmp_path / "farm.yaml"
    path.write_text(
        """
        name: farm
        classes:
          crop: {colour: [0, 255, 0], drone: [1, 4-6]}
          soil: {colour: [90, 60, 0], drone: "7 - 8", robot: 2}
        ignore: {drone: [0, 255]}
        protocols: {1: [crop]}
        """,
        encoding="utf-8",
    )
    farm = ClassSet.load(path)
    assert farm == ClassSet.load(str(path))
    assert farm.names == ("crop", "soil")
    assert farm.raw_ids == {"drone": {1: 0, 4: 0, 5: 0, 6: 0, 7: 1, 8: 1, 0: 255, 255: 255}, "robot": {2: 1}}
    assert farm.protocols == {"2": (0, 1), "1": (0,)}
    assert farm.missing_in("robot") == ["crop"]
    with pytest.raises(UserError, match=r"no column for the label scheme 'rover'; it has drone, robot"):
        farm.labels("rover")


A = "a: {colour: [1, 2, 3], x: 1}"
MISTAKES = {
    "- a list": "the file must be a mapping",
    "just text": "the file must be a mapping",
    "": "the file must be a mapping",
    "name: [": "cannot be read",
    f"name: n\nclasses:\n  {A}\nprotocol: {{}}": "unknown key 'protocol'",
    f"classes:\n  {A}": "'name' must be a short text, not None",
    "name: n": "'classes' must be a mapping",
    "name: n\nclasses: {}": "0 classes",
    "name: n\nclasses: [a, b]": "'classes' must be a mapping",
    "name: n\nclasses: {a: 3}": "class 'a' must be a mapping",
    "name: n\nclasses: {no: {colour: [1, 2, 3]}}": "class name False is not a text",
    "name: n\nclasses: {a: {x: 1}}": "class 'a': 'colour' must be .* not None",
    "name: n\nclasses: {a: {color: [1, 2, 3], colour: [1, 2, 3], x: 1}}": "class 'a' has both 'colour' and 'color'",
    "name: n\nclasses: {a: {colour: [1, 2], x: 1}}": r"class 'a': 'colour' must be .* not \[1, 2\]",
    "name: n\nclasses: {a: {colour: [1, 2, 256], x: 1}}": "class 'a': 'colour' must be",
    "name: n\nclasses: {a: {colour: [1, 2, 3.5], x: 1}}": "class 'a': 'colour' must be",
    "name: n\nclasses: {a: {colour: red, x: 1}}": "class 'a': 'colour' must be .* not 'red'",
    "name: n\nclasses: {a: {colour: [1, 2, 3], x: 256}}": "class 'a', column 'x': 256 is outside",
    "name: n\nclasses: {a: {colour: [1, 2, 3], x: -1}}": "class 'a', column 'x': -1 is outside",
    "name: n\nclasses: {a: {colour: [1, 2, 3], x: 6-4}}": "class 'a', column 'x': '6-4' is outside",
    "name: n\nclasses: {a: {colour: [1, 2, 3], x: true}}": "class 'a', column 'x': True is no label id",
    "name: n\nclasses: {a: {colour: [1, 2, 3], x: [car]}}": "class 'a', column 'x': 'car' is no label id",
    f"name: n\nclasses:\n  {A}\n  b: {{colour: [1, 2, 3], x: 0-3}}": (
        "class 'b', column 'x': the id 1 is already given to 'a'"
    ),
    f"name: n\nclasses:\n  {A}\nignore: {{x: 1}}": "'ignore', scheme 'x': the id 1 is already given to 'a'",
    f"name: n\nclasses:\n  {A}\nignore: {{z: 1}}": "'ignore' names the label scheme 'z'",
    f"name: n\nclasses:\n  {A}\n  {A}": "'a' is given twice",
    "name: n\nclasses: {a: {colour: [1, 2, 3], x: 1, x: 2}}": "'x' is given twice",
    f"name: n\nclasses:\n  {A}\nprotocols: {{p: [b]}}": "protocol 'p' names the class 'b'",
    f"name: n\nclasses:\n  {A}\nprotocols: {{p: a}}": "protocol 'p' must be a list",
    f"name: n\nclasses:\n  {A}\n  b: {{colour: [1, 2, 3]}}\nprotocols: {{2: [a]}}": (
        "protocol '2' must hold all 2 classes"
    ),
    "name: !!python/object/apply:os.getcwd []": "cannot be read",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistake_in_a_file_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=MISTAKES[text]) as error:
        ClassSet.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_more_classes_than_a_byte_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    lines = [f"  c{index}: {{colour: [0, 0, 0]}}" for index in range(254)]
    path.write_text("name: many\nclasses:\n" + "\n".join(lines), encoding="utf-8")
    with pytest.raises(UserError, match="254 classes; 1 to 253"):
        ClassSet.load(path)


def test_unknown_name_lists_what_comes_along() -> None:
    with pytest.raises(UserError, match=r"no class set 'citiscapes': .*camvid-11, cityscapes-19"):
        ClassSet.load("citiscapes")
    with pytest.raises(UserError, match=r"nowhere.yaml cannot be read"):
        ClassSet.load("nowhere.yaml")
