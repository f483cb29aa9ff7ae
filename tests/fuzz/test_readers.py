"""No file, however damaged or hostile, makes a reader do anything but give values or one clear sentence."""

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
import tripwire
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import Reader, readers

from pixda.errors import UserError

NAMES = [
    "images",
    "masks",
    "class sets (YAML)",
    "configs (YAML)",
    "grids (YAML)",
    "shots.json",
    "kept checks",
    "scores.json",
    "model.json",
    "model.safetensors",
    "checkpoint.pt",
    "weights (.pth)",
    "weights (.safetensors)",
]
SLOW_READERS = {"configs (YAML)": 0.1, "grids (YAML)": 0.1, "model.json": 0.5}
"""The share of the usual number of inputs that those get whose readers do more than read."""

SECONDS = 20  # for one input, on a busy machine
MEGABYTES = 600  # that all inputs of a reader together may add to the process at its largest


@pytest.fixture(scope="module")
def all_readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return {reader.name: reader for reader in readers(tmp_path_factory.mktemp("good"))}


def test_every_reader_is_fuzzed(all_readers: dict[str, Reader]) -> None:
    assert list(all_readers) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_gives_values_or_one_sentence(all_readers: dict[str, Reader], tmp_path: Path, name: str) -> None:
    fuzz(all_readers[name], tmp_path, round(250 * SLOW_READERS.get(name, 1)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_gives_values_or_one_sentence_at_length(
    all_readers: dict[str, Reader], tmp_path: Path, name: str
) -> None:
    reader = all_readers[name]
    fuzz(reader, tmp_path, round(int(os.environ.get("FUZZ_INPUTS", "10000")) * SLOW_READERS.get(name, 1)))
    print(f"\n{name}: {reader.counts}")


def fuzz(reader: Reader, folder: Path, inputs: int) -> None:
    """Let so many inputs be read; Hypothesis finds the number of one that goes wrong, and is the same every time."""
    path = folder / reader.file
    peak = _peak()

    @settings(
        max_examples=inputs, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.integers(0, 2**48))
    def one(number: int) -> None:
        path.write_bytes(reader.make(Random(number)))
        reader.counts["inputs"] += 1
        said = ""
        try:
            with _in_time():
                reader.read(path)
            reader.counts["accepted"] += 1
        except UserError as error:
            reader.counts["refused"] += 1
            said = str(error)
        assert "\n" not in said, "one line"
        assert len(said) < 5000
        assert not tripwire.ran, "a payload was run"
        assert _peak() - peak < MEGABYTES, "memory"

    one()


@contextmanager
def _in_time() -> Iterator[None]:
    def late(number: int, frame: object) -> None:
        raise AssertionError(f"an input took more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _peak() -> int:
    """Megabytes of the process at its largest."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size // (1 << 20 if sys.platform == "darwin" else 1 << 10)
