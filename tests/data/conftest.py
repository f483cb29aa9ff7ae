"""Makes the modules beside the tests (trees, contract) importable under pytest's importlib mode."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pixda.data.classes import ClassSet


@pytest.fixture(scope="session")
def cityscapes19() -> ClassSet:
    return ClassSet.load("cityscapes-19")


@pytest.fixture(scope="session")
def camvid11() -> ClassSet:
    return ClassSet.load("camvid-11")
