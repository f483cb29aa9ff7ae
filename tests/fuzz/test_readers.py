"""No file, however damaged or hostile, makes a reader do anything but give values or one clear sentence."""

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

from pixda.data.files import known_formats
from pixda.errors import UserError

NAMES = [
    "images",
    "masks",
    "videos",
    "class sets (YAML)",
    "configs (YAML)",
    "grids (YAML)",
    "shots.json",
    "shots.txt",
    "kept checks",
    "scores.json",
    "model.json",
    "model.safetensors",
    "checkpoint.pt",
    "weights (.pth)",
    "CVAT (XML)",
    "CVAT's colours",
    "Label Studio (JSON)",
    "COCO (JSON)",
    "Labelme (JSON)",
    *(["HEIF"] if "HEIF" in known_formats() else []),
    "weights (.safetensors)",
]
SLOW_READERS = {"configs (YAML)": 0.1, "grids (YAML)": 0.1, "model.json": 0.5}
"""The share of the usual number of inputs that those get whose readers do more than read."""

SECONDS = 5  # of the processor, for one input
MEGABYTES = 1500  # that a reader may add to the process: a picture of the most pixels, and its copy in RGB


@pytest.fixture(scope="module")
def all_readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    return {reader.name: reader for reader in readers(tmp_path_factory.mktemp("good"))}


def test_every_reader_is_fuzzed(all_readers: dict[str, Reader]) -> None:
    assert list(all_readers) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_gives_values_or_one_sentence(all_readers: dict[str, Reader], tmp_path: Path, name: str) -> None:
    """Hypothesis chooses the inputs, the same ones every time, and finds the smallest number that goes wrong."""
    inputs, largest = round(250 * SLOW_READERS.get(name, 1)), _peak() + MEGABYTES
    same = settings(
        max_examples=inputs, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    same(given(st.integers(0, 2**48))(lambda number: fuzz(all_readers[name], tmp_path, number, largest)))()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_gives_values_or_one_sentence_at_length(
    all_readers: dict[str, Reader], tmp_path: Path, name: str
) -> None:
    """Prints the counts: `pytest -s -m slow tests/fuzz`."""
    reader, largest = all_readers[name], _peak() + MEGABYTES
    for number in range(round(10_000 * SLOW_READERS.get(name, 1))):
        try:
            fuzz(reader, tmp_path, number, largest)
        except BaseException as error:
            error.add_note(f"input {number}")
            raise
    print(f"\n{name}: {reader.counts}", flush=True)


def fuzz(reader: Reader, folder: Path, number: int, largest: int) -> None:
    """Let one input be read, the one of the number. `largest`: megabytes that the process may take."""
    path = folder / reader.file
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
    assert _peak() < largest, "memory"


class _Late(BaseException):
    """An input takes too long. No reader may take it for the mistake of a file."""


@contextmanager
def _in_time() -> Iterator[None]:
    def late(number: int, frame: object) -> None:
        raise _Late(f"an input took more than {SECONDS} seconds of the processor")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _peak() -> int:
    """Megabytes of the process at its largest."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size // (1 << 20 if sys.platform == "darwin" else 1 << 10)
