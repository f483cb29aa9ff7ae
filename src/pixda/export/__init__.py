"""A model as one file that runs without PixDA, compared with PyTorch before it is given out."""
