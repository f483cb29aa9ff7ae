"""A model on a user's own images and videos."""
