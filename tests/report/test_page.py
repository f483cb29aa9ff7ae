"""`pixda report`: one page that holds everything, from runs, from comparisons, and from what is left of them."""

import json
import re
import shutil
from html.parser import HTMLParser

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from pixda.__main__ import main
from pixda.metrics import Scores
from pixda.report.baselines import neighbours
from pixda.report.frames import boxes
from pixda.report.runs import RunFolder
from pixda.report.selections import judgements
from runs import words


class Reader(HTMLParser):
    """Tags, their addresses, and the text between them, as a browser would see them."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.sections, self.texts, self.tags, self.nameless = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.addresses += [given[name] for name in ("src", "srcset", "href") if name in given]
        if tag == "section":
            self.sections.append(given["id"])
        if tag == "img" and not given.get("alt"):
            self.nameless.append(given)

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_asks_nobody_for_anything_and_every_picture_has_words(page):
    read = Reader(page.read_text())
    assert len(read.addresses) > 30
    assert all(re.match(r"data:image/|#", address) for address in read.addresses)
    assert not read.nameless
    assert page.stat().st_size < 10e6
    assert "default-src 'none'" in page.read_text()


def test_the_run_is_compared_with_its_first_stage_and_the_control_beside_it(runs, page):
    found = neighbours(RunFolder.read(runs / "pixda"))
    assert [one.folder.name for one in found] == ["first", "fine_tuning"]
    text = page.read_text()
    for name in ("pixda", "first", "fine_tuning"):
        assert f"<b>{100 * Scores.load(runs / name / 'scores.json').miou:.1f}</b>" in text
    assert "source only, first stage" in text


def test_a_class_with_markup_in_its_name_stays_text(page):
    read = Reader(page.read_text())
    assert read.tags.count("script") == 2, "the page's data and its code"
    assert any('<script>alert("road")</script>' in text for text in read.texts)
    data = json.loads(re.search(r'id="report-data">(.*?)</script>', page.read_text(), re.DOTALL)[1])
    assert [one["name"] for one in data["classes"]][:2] == ['<script>alert("road")</script>', 'sky & "air"']


def test_every_figure_is_kept_for_papers(page):
    stems = {path.stem for path in (page.parent / "figures").iterdir()}
    drawn = {"classes", "frames", "confusion", "pixel_maps", "style", "calibration", "curves_adapt"}
    assert drawn | {"selection_scores", "selection_gallery"} <= stems
    for stem in stems:
        assert (page.parent / f"figures/{stem}.pdf").read_bytes().startswith(b"%PDF")
        assert Image.open(page.parent / f"figures/{stem}.png").width > 200


def test_every_run_has_a_reliability_diagram_with_its_calibration_error(runs, page, capsys):
    read = Reader(page.read_text())
    assert "calibration" in read.sections
    text = " ".join("".join(read.texts).split())
    for name in ("pixda", "first", "fine_tuning"):
        ece = f"{100 * Scores.load(runs / name / 'scores.json').calibration.ece:.1f}"
        assert f"expected calibration error {ece} %" in text
    data = [f"--data.root={runs.parent / 'target'}", "--data.dataset=folder", "--data.scheme=cityscapes"]
    assert main(["evaluate", str(runs / "fine_tuning"), *data]) == 0
    printed = next(line for line in capsys.readouterr().out.splitlines() if "calibration error (ECE)" in line)
    assert f"{ece} " in printed


def test_scores_without_calibration_have_no_reliability_diagram(runs, tmp_path):
    shutil.copytree(runs / "first", tmp_path / "first")
    scores = tmp_path / "first/scores.json"
    record = json.loads(scores.read_text())
    del record["calibration"]
    scores.write_text(json.dumps(record))
    assert main(["report", str(tmp_path / "first")]) == 0
    assert "calibration" not in Reader((tmp_path / "first/report/report.html").read_text()).sections


def test_the_selections_are_those_of_the_log(runs):
    made = json.loads((runs / "pixda/model.json").read_text())["made"]
    assert [(len(one.kept), len(one.scores)) for one in judgements(runs / "pixda/logs")] == [
        (one["kept"], one["of"]) for one in made["selections"]
    ]


def test_the_discriminator_that_is_kept_is_the_trained_one(runs, tmp_path):
    """Without a last fine-tuning the checkpoint still holds it."""
    more = ["--recipe.distillation.steps=0", f"--start_from={runs / 'first'}", f"--classes={runs.parent}/classes.yaml"]
    assert main(words(runs.parent, tmp_path / "run", *more)) == 0
    trained = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)["trainees"]["discriminator"]["network"]
    kept = load_file(tmp_path / "run/discriminator.safetensors")
    assert kept.keys() == trained.keys()
    assert all(torch.equal(kept[name], trained[name]) for name in kept)


def test_boxes_are_around_the_things_of_the_small_classes(runs):
    classes = RunFolder.read(runs / "pixda").classes
    truth = torch.zeros(100, 200, dtype=torch.uint8)
    truth[20:40, 60:70] = 2
    truth[80:100, 180:200] = 2
    truth[0, 0] = 2  # a speck
    found = boxes(truth, classes, ["car"])
    assert [(b.left, b.top, b.width, b.height) for b in found] == [(90, 80, 10, 20), (30, 20, 5, 20)]
    assert boxes(truth, classes, []) == []


def test_without_its_data_a_report_says_so_and_keeps_the_numbers(runs, tmp_path):
    shutil.copytree(runs / "pixda", tmp_path / "alone/pixda")
    config = tmp_path / "alone/pixda/config.yaml"
    config.write_text(config.read_text().replace(str(runs.parent / "source"), "/gone/a").replace(
        str(runs.parent / "target"), "/gone/b"))  # fmt: skip
    (tmp_path / "alone/pixda/discriminator.safetensors").unlink()
    assert main(["report", str(tmp_path / "alone/pixda")]) == 0
    read = Reader((tmp_path / "alone/pixda/report/report.html").read_text())
    text = "".join(read.texts)
    assert "there is no folder /gone/a" in text
    assert "no predictions can be shown" in text
    assert {"result", "classes", "selection", "training", "confusion"} <= set(read.sections)
    assert not {"style", "pixels", "data"} & set(read.sections)


@pytest.fixture(scope="module")
def together(runs, tmp_path_factory):
    """The folder of a report about several runs."""
    out = tmp_path_factory.mktemp("together")
    assert main(["report", *(str(runs / name) for name in ("fine_tuning", "pixda", "first")), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def of_comparison(runs, together, tmp_path_factory):
    """The report about a folder as `pixda compare` leaves it; PixDA's discriminator was thrown away."""
    folder = tmp_path_factory.mktemp("comparison")
    shutil.copytree(together / "tables", folder, dirs_exist_ok=True)
    shutil.copytree(runs, folder / "runs")
    (folder / "runs/pixda/discriminator.safetensors").unlink()
    assert main(["report", str(folder)]) == 0
    return (folder / "report/report.html").read_text()


def test_several_runs_are_put_into_tables(together):
    read = Reader((together / "report.html").read_text())
    assert "tables1" in read.sections
    assert {"table.md", "table.csv", "curve.pdf"} <= {path.name for path in (together / "tables").iterdir()}
    assert read.texts[read.texts.index("PixDA report") + 2] == "fine-tuning"


def test_a_comparison_is_shown_with_its_tables_and_one_run_in_pictures(of_comparison):
    read = Reader(of_comparison)
    assert read.sections.index("tables1") < read.sections.index("result")
    assert read.texts[read.texts.index("PixDA report") + 2] == "PixDA"


def test_without_its_discriminator_a_report_shows_the_other_maps(of_comparison):
    assert "This run kept no discriminator" in of_comparison
    assert "the discriminator: source or target?" not in of_comparison
    assert "S, difficulty" in of_comparison


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "Name the folder of a run"),
        (["{tmp}"], "is no run"),
        (["{runs}/pixda", "{runs}/begun"], "is not finished"),
        (["{runs}/pixda", "--out", "{tmp}/file/report"], "cannot be written"),
    ],
)
def test_what_cannot_be_shown_is_one_line(runs, tmp_path, capsys, given, said):
    (tmp_path / "file").write_text("")
    if not (runs / "begun").exists():
        (runs / "begun").mkdir()
        shutil.copy(runs / "pixda/config.yaml", runs / "begun")
    assert main(["report", *(word.format(tmp=tmp_path, runs=runs) for word in given)]) == 1
    message = capsys.readouterr().err
    assert said in message
    assert len(message.strip().splitlines()) == 1


def test_a_run_that_is_not_finished_shows_its_curves(runs, tmp_path):
    shutil.copytree(runs / "pixda", tmp_path / "run")
    for name in ("model.json", "model.safetensors", "scores.json"):
        (tmp_path / "run" / name).unlink()
    assert main(["report", str(tmp_path / "run")]) == 0
    read = Reader((tmp_path / "run/report/report.html").read_text())
    assert "This run is not finished:" in read.texts
    assert {"selection", "training", "protocol"} <= set(read.sections)
    assert (tmp_path / "run/report/figures/curves_adapt.pdf").is_file()


def test_a_run_with_the_names_of_before_is_shown_like_a_new_one(runs, page, tmp_path):
    """Configs, logs and the kept network called discriminators critics, aligners and judges."""
    old = tmp_path / "old"
    shutil.copytree(runs / "pixda", old, copy_function=shutil.copy2)
    (old / "discriminator.safetensors").rename(old / "critic.safetensors")
    (old / "config.yaml").write_text((old / "config.yaml").read_text().replace("discriminator", "critic"))
    log = old / "logs/adapt.csv"
    header, *rows = log.read_text().splitlines(keepends=True)
    header = header.replace("selection_discriminator", "judge").replace("discriminator", "aligner")
    log.write_text("".join([header, *rows]))
    assert main(["report", str(old), "--out", str(tmp_path / "page")]) == 0
    figures = {path.name for path in (tmp_path / "page/figures").iterdir()}
    assert figures == {path.name for path in (page.parent / "figures").iterdir()}
    told = (tmp_path / "page/report.html").read_text()
    assert "aligner" not in told
    assert "discriminator accuracy from" in told
