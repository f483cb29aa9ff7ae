"""Turns exports of annotation tools into images and masks. Each tool has a reader; all readers return an `Export`."""
