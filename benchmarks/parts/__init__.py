"""The parts, a file a subject. To add one: a function that gives its two forms, and a line in its file's PARTS."""

from benchmarks.part import Part
from benchmarks.parts import discriminators, items, labels, losses, metrics, networks, step, style

PARTS: dict[str, Part] = {
    part.name: part
    for subject in (style, labels, losses, discriminators, items, metrics, networks, step)
    for part in subject.PARTS
}
