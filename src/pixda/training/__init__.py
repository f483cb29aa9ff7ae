"""Training one run: preparation and checks, the loop, checkpoints, K-fold validation."""
