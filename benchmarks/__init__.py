"""How fast the parts of PixDA are, beside a plain form of each: ``python -m benchmarks --help``."""
