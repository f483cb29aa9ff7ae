"""The demo on a world of a few tiny frames: all of it, down to the report."""

from dataclasses import replace

import pytest

from pixda.config import Network
from pixda.demo import demo_experiment, run_demo, verdict
from pixda.methods.presets import PRESETS
from pixda.phases.settings import Alignment, DistillationSettings


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    experiment = demo_experiment(out / "streets")
    size = (96, 72)
    source, target = experiment.source, experiment.target
    experiment = replace(
        experiment,
        source=replace(source, streets=replace(source.streets, count=8, size=size)),
        target=replace(target, streets=replace(target.streets, count=6, size=size)),
        size=size,
        network=Network("tiny"),
    )
    steps = {"pretrain_steps": 4, "more_steps": 6, "tuning_steps": 6, "joint_steps": 6, "adaptation_steps": 4}
    with pytest.MonkeyPatch.context() as patch:
        phases = {
            "crop": (64, 48),
            "distillation": DistillationSettings(2),
            "alignment": Alignment(discriminators_at="image"),
        }
        patch.setitem(PRESETS, "quick", PRESETS["demo"] | steps | phases)
        page = run_demo(out, experiment, "quick")
        patch.setattr("pixda.demo.write_report", lambda runs, report: report / "report.html")  # it takes the longest
        yield out, page, lambda: run_demo(out, experiment, "quick")


def test_the_report_shows_every_method_and_every_step(demo):
    out, page, _ = demo
    assert page == out / "report/report.html"
    text = page.read_text()
    assert all(name in text for name in ("source only, step-matched", "fine-tuning", "PixDA", "joint"))
    for part in ("result", "classes", "data", "style", "pixels", "selection", "training", "frames", "confusion"):
        assert f'<section id="{part}">' in text
    assert "the discriminator: source or target?" in text
    assert "not at hand" not in text


def test_a_second_call_trains_nothing_again(demo):
    out, _, again = demo
    before = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    assert len(before) == 5
    again()
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}


NUMBERS = {"source only": 0.3, "fine-tuning": 0.31}


@pytest.mark.parametrize(
    ("joint", "pixda", "said"),
    [
        (0.40, 0.36, ("PixDA is behind balanced joint training (-4.0", "4.0 over PixDA", "more than", "Take balanced")),
        (0.40, 0.41, ("PixDA is level with balanced joint training (+1.0", "within the noise", "Take balanced joint")),
        (0.40, 0.50, ("PixDA is ahead of balanced joint training (+10.0", "Best: PixDA, 50.0 mIoU", "Take PixDA.")),
        (0.20, 0.25, ("Best: fine-tuning", "1.0 over source only", "Take fine-tuning.")),
    ],
)
def test_the_numbers_decide_the_words(joint, pixda, said):
    sentence = verdict(NUMBERS | {"joint, balanced": joint, "PixDA": pixda})
    assert all(words in sentence for words in said), sentence
