"""Devices, processes, the lock on a run folder, and errors of full disks and memory."""
