"""Damaged and hostile files, made from good ones; one number decides everything, so that it names an input."""

import copy
import json
import struct
from random import Random
from typing import Any

HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 255, 256, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf"), -0.5, "", " ",
    "x" * 9_000, "\x00", "\ud800", "../../x", "~", "[/red]", "<script>", "nan", "1e999", "0-999", "#ffffff",
    "- " * 400, "[" * 400, "{class_path: pixda_tripwire.Evil}", "pixda_tripwire.Evil", "https://x",
    "!!python/name:os.x", [], {}, [[]], [None], [0, 0], [-1, 10**12], ["", ""], {"": None}, {"a": {"b": {"c": [1]}}},
    list(range(300)), {"class_path": "pixda_tripwire.Evil"},
    {"class_path": "pixda_tripwire.Evil", "init_args": {"x": 1}},
]  # fmt: skip

TOKENS = [
    b"!!python/object/apply:pixda_tripwire.Evil [1]", b"!!python/object/new:pixda_tripwire.Evil {}", b"&a ", b"*a",
    b"<<: ", b"!!binary ", b"!!set ", b"!!timestamp ", b"!!int ", b"!!float ", b"!!bool ", b"\t", b": ", b"- ", b"? ",
    b"{", b"}", b"[", b"]", b"'", b'"', b"|\n", b">\n", b"---\n", b"...\n", b"%YAML 9.9\n", b"#", b"\x00",
    b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"1:1:1:1:1", b"0x", b"2001-13-45", b"9" * 5_000, b"[" * 3_000,
    b"- " * 3_000, b'{"a":' * 3_000, b"\n" * 50, b"1e99999", b"NaN", b"Infinity", b"@", b"`",
]  # fmt: skip

_EXTREMES = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**63, 2**64 - 1)


def damaged(good: bytes, others: list[bytes], random: Random) -> bytes:
    """A file with one to four injuries: bits, lengths, cuts, repeats, parts of files of another kind."""
    data = bytearray(good)
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice(_INJURIES)(data, others, random)
    return bytes(data)


def _place(data: bytearray, random: Random) -> int:
    # Headers decide most, and are short.
    return random.randrange(min(len(data), random.choice((32, 200, len(data) + 1))) + 1)


def _flip(data: bytearray, others: list[bytes], random: Random) -> None:
    for _ in range(random.choice((1, 3, 20))):
        place = _place(data, random)
        if place < len(data):
            data[place] ^= 1 << random.randrange(8)


def _overwrite(data: bytearray, others: list[bytes], random: Random) -> None:
    place = _place(data, random)
    data[place : place + 4] = random.randbytes(random.randrange(9))


def _length(data: bytearray, others: list[bytes], random: Random) -> None:
    form, size = random.choice((("<H", 2), (">H", 2), ("<I", 4), (">I", 4), ("<Q", 8), (">Q", 8)))
    place = _place(data, random)
    data[place : place + size] = struct.pack(form, random.choice(_EXTREMES) % 256**size)


def _cut(data: bytearray, others: list[bytes], random: Random) -> None:
    del data[_place(data, random) :]


def _drop(data: bytearray, others: list[bytes], random: Random) -> None:
    place = _place(data, random)
    del data[place : place + random.randrange(1, 40)]


def _repeat(data: bytearray, others: list[bytes], random: Random) -> None:
    place = _place(data, random)
    data[place:place] = bytes(data[place : place + random.randrange(1, 60)]) * random.choice((1, 2, 30))


def _token(data: bytearray, others: list[bytes], random: Random) -> None:
    place = _place(data, random)
    data[place:place] = random.choice(TOKENS)


def _confuse(data: bytearray, others: list[bytes], random: Random) -> None:
    other, place = random.choice(others), _place(data, random)
    data[place:] = other[random.choice((0, place)) :]


_INJURIES = (_flip, _flip, _overwrite, _length, _length, _cut, _drop, _repeat, _token, _confuse)


def strange(good: Any, random: Random) -> Any:
    """Nested plain values of which one to three are exchanged, taken out, or put where nobody expects them."""
    values = copy.deepcopy(good)
    for _ in range(random.choice((1, 1, 2, 3))):
        values = _changed(values, random, random.randrange(1, 7))
    return values


def _changed(value: Any, random: Random, depth: int) -> Any:
    if depth == 0 or not isinstance(value, dict | list) or not value:
        return copy.deepcopy(random.choice(HOSTILE))
    key = random.choice(list(value)) if isinstance(value, dict) else random.randrange(len(value))
    injury = random.randrange(8)
    if injury == 0:
        del value[key]
    elif injury == 1 and isinstance(value, dict):
        value[random.choice(("", "class_path", "x.y", "members", "name", "0", str(key) + ".x"))] = random.choice(
            HOSTILE
        )
    elif injury == 2 and isinstance(value, list):
        value *= random.choice((0, 2, 100))
    else:
        value[key] = _changed(value[key], random, depth - 1)
    return value


def as_text(values: Any, random: Random) -> bytes:
    """Plain values as JSON, which is YAML too."""
    return json.dumps(values, ensure_ascii=random.random() < 0.9).encode("utf-8", "surrogatepass")
