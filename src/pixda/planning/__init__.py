"""How much memory a training step takes, and which cards hold it."""
