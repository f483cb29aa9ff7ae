"""A run from its config to its model: opened and checked, the one loop, its state in a file; folds of the shots."""
