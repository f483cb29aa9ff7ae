"""What is seen of a run while it goes: progress and the time left, logs and loggers, sample pictures."""
