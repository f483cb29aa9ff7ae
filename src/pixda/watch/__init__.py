"""Watching a run: progress and time left, logs and loggers, sample pictures."""
