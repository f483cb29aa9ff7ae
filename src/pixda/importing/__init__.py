"""Exports of annotation tools as images and masks: a file a format, all of which give the same `Export`."""
