"""PixDA: few-shot, cross-domain semantic segmentation, from synthetic streets to real ones."""

__version__ = "0.1.0"
