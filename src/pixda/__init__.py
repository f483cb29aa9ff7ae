"""PixDA: few-shot, cross-domain semantic segmentation, from synthetic streets to real ones."""

import os

__version__ = "0.1.0"

# Large maps in large pages: half of the time of a pass over fresh memory is taking the pages, 4 KiB each. Torch reads
# this once, with its first tensor; only Linux has it, and it changes no number.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
