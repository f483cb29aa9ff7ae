"""Learning from labels, of either domain and of both."""

import pytest

from descent import assert_descends, log_probs_of
from pixda.phases.supervised import Supervised
from pixda.style import stylise


@pytest.mark.parametrize(
    ("on", "beta"),
    [("source", 0.0), ("target", 0.0), ("both", 0.0), ("both", 0.05), ("concatenation", 0.0), ("concatenation", 0.05)],
)
def test_the_step_descends_the_sum_over_the_domains_present(context, pair, sgd, focal, on, beta):
    phase = Supervised(name="phase", on=on, steps=5, batch=2, optimiser=sgd, loss=focal, style_beta=beta)
    phase.prepare(context, None)
    source, target = pair.source, pair.target
    if beta:
        source = source._replace(images=stylise(source.images, target.images, beta))
    used = {"source": [source], "target": [target], "both": [source, target], "concatenation": [source]}[on]
    given = {"source": (pair.source, None), "target": (None, pair.target), "both": pair, "concatenation": pair}[on]
    losses = assert_descends(
        phase,
        lambda: sum(phase.segmentation(log_probs_of(context.segmenter(b.images), b.masks), b.masks) for b in used),
        lambda: phase.step(type(pair)(*given)),
    )
    assert set(losses) == {"both": {"source", "target"}, "concatenation": {"source"}}.get(on, {on})


def test_training_on_one_batch_lowers_its_loss(context, pair, sgd, focal):
    phase = Supervised(name="phase", on="both", steps=50, batch=2, optimiser=sgd, loss=focal)
    phase.prepare(context, None)
    losses = [float(sum(phase.step(pair).values())) for _ in range(20)]
    assert losses[-1] < losses[0]
