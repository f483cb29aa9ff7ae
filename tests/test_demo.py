"""The demo on a world of a few tiny frames: all of it, down to the report."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from pixda.config import Network
from pixda.demo import demo_experiment, run_demo
from pixda.methods.presets import PRESETS
from pixda.metrics import Scores
from pixda.phases.settings import Alignment, Distillation
from pixda.report import markdown_table
from pixda.report.page import write_page


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
    steps = {"pretrain_steps": 4, "more_steps": 6, "tuning_steps": 6, "adaptation_steps": 4}
    with pytest.MonkeyPatch.context() as patch:
        phases = {"crop": (64, 48), "distillation": Distillation(2), "alignment": Alignment(critics_at="image")}
        patch.setitem(PRESETS, "quick", PRESETS["demo"] | steps | phases)
        yield out, run_demo(out, experiment, "quick"), lambda: run_demo(out, experiment, "quick")


def test_the_report_shows_every_method_and_all_its_pictures_are_there(demo):
    _, page, _ = demo
    text = page.read_text()
    assert all(name in text for name in ("source only", "fine-tuning", "PixDA"))
    shown = []

    class Pictures(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag == "img":
                shown.append(dict(attrs)["src"])

    Pictures().feed(text)
    assert {"frames.jpg", "classes.png", "style.jpg", "selection.jpg", "losses.png"} <= set(shown)
    for name in shown:
        assert Image.open(page.parent / name).width > 200


def test_a_second_call_trains_nothing_again(demo):
    out, _, again = demo
    before = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    assert len(before) == 4
    again()
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}


def test_the_table_holds_what_was_scored(demo):
    out, page, _ = demo
    scores = Scores.load(out / "pixda/scores.json")
    assert f"{100 * scores.miou:.1f}" in (page.parent / "table.md").read_text()


def test_a_class_with_markup_in_its_name_stays_text(tmp_path):
    scores = Scores({"<script>": 0.5}, {"1": 0.5}, {"<script>": 1.0}, 0.5)
    write_page(tmp_path / "index.html", "t", "l", markdown_table({"a": scores}), {"x.png": "<b>"})
    text = (tmp_path / "index.html").read_text()
    assert "<script>" not in text
    assert "<b>" not in text
