"""Datasets, class sets, few-shot lists and the check that runs before any training."""
