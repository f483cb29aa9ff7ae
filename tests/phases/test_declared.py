"""What a phase says of itself, which a report believes."""

import pytest

from pixda.methods import METHODS, build


@pytest.mark.parametrize("method", METHODS)
def test_a_phase_names_what_learns_beside_the_segmenter(context, method):
    context.domains.seed = 0
    for phase in build(method, "small").phases():
        assert phase.about.endswith(".")
        phase.prepare(context, None)
        others = [name for name in phase.trainees() if not name.startswith("segmenter")]
        assert all(name.startswith(phase.discriminators) for name in others), f"{phase.name}: {others}"
        assert bool(others) == bool(phase.discriminators)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_a_title(method):
    assert build(method).title
