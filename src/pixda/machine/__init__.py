"""What a run happens on: devices, processes, the lock on its folder; and what it runs out of, in a sentence."""
