"""Render the street world ahead of a run: ``python -m benchmarks.render FOLDER FRAMES``."""

import sys
import time
from pathlib import Path

from pixda.data.classes import ClassSet
from pixda.data.config import Data, StreetOptions
from pixda.data.open import open_dataset

if __name__ == "__main__":
    began = time.perf_counter()
    world = StreetOptions(count=int(sys.argv[2]))
    dataset = open_dataset(Data("streets", Path(sys.argv[1]), "rendered", streets=world), ClassSet.load("camvid-11"))
    print(f"{len(dataset)} frames in {time.perf_counter() - began:.0f} s")
