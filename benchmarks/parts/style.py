"""Fourier style transfer."""

from benchmarks.part import Forms, Part, near
from benchmarks.plain import style as plain
from benchmarks.setting import Setting
from pixda.style import stylise, stylise_

BETA = 0.01


def _style(setting: Setting) -> Forms:
    source, target = setting.images(setting.batch, 1), setting.images(setting.batch, 2)

    def check() -> str:
        exact = plain.stylise(source.double(), target.double(), BETA)
        return near(stylise(source, target, BETA), exact, atol=1e-3) + " of 255"

    return Forms(
        lambda: plain.stylise(source, target, BETA),
        lambda: stylise_(source, target, BETA),
        check,
        traffic=3 * source.nbytes,  # both are read, the source is written
    )


PARTS = [Part("style", "style transfer", _style, at_least=100)]
