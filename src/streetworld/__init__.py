"""A small street world that renders its own labelled frames, in two domains: `rendered` and `camera`."""

from streetworld.basics import Domain, Label, WorldOptions

__all__ = ["Domain", "Label", "WorldOptions"]
