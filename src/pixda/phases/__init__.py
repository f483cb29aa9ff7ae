"""Phases: what is optimised, on which batches, by which losses."""
