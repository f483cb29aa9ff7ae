"""`pixda compare` as a user runs it: cells are processes, and killing it at any moment loses nothing."""

import csv
import json
import os
import signal
from pathlib import Path

import pytest

from comparison.grids import models, small_grid, start, wait_until, without_joint, write_grid
from pixda.__main__ import main
from runs import two_domains


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return two_domains(tmp_path_factory.mktemp("domains"))


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """A grid run to its end, a row of which cannot work."""
    folder = tmp_path_factory.mktemp("comparison")
    rows = small_grid(root)["rows"] | {
        "maps too small": {"method": "pixda", "recipe": {"alignment": {"discriminators_at": "logits"}}},
        "mean, mirrored": {"of": ["joint", "PixDA"], "flips": True},
        "of nothing": {"of": ["maps too small"]},
    }
    grid = write_grid(folder / "grid.yaml", small_grid(root, rows=rows, seeds=[0]))
    assert main(["compare", str(grid), f"--out={folder / 'out'}", "--at_once=2"]) == 0
    return folder / "out"


def rows_of(out):
    with (out / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_there_and_a_failed_cell_has_its_reason(finished):
    for name in ("table.md", "table.tex", "table.csv", "curve.png", "curve.pdf", "protocol.md"):
        assert (finished / name).stat().st_size > 0
    table = (finished / "table.md").read_text()
    assert "maps too small" in table
    assert "would get 12 x 8" in table
    failed = [row for row in rows_of(finished) if row["method"] == "maps too small"]
    assert failed
    assert all("12 x 8" in row["note"] for row in failed)


def test_the_numbers_in_the_table_are_those_of_the_runs(finished):
    (run,) = (finished / "runs").glob("joint_*")
    scores = json.loads((run / "scores.json").read_text())
    told = {(row["measure"], row["name"]): row["value"] for row in rows_of(finished) if row["method"] == "joint"}
    assert float(told["mean", "19"]) == scores["mean"]["19"]
    assert float(told["class", "road"]) == scores["iou"]["road"]
    assert told["class", "train"] == "", "no ground truth, no number"


def test_a_row_that_trains_nothing_further_has_the_scores_of_the_first_stage(finished):
    (first,) = (finished / "runs").glob("first_*")
    scores = json.loads((first / "scores.json").read_text())
    told = {(row["measure"], row["name"]): row["value"] for row in rows_of(finished) if row["method"] == "first stage"}
    assert float(told["mean", "19"]) == scores["mean"]["19"]
    assert not list((finished / "runs").glob("first-stage_*")), "scored once"


def test_a_row_of_others_is_the_mean_of_their_weights_scored_on_its_views(finished, root, tmp_path, capsys):
    runs = [next((finished / "runs").glob(pattern)) for pattern in ("joint_*", "pixda_*")]
    assert main(["average", *map(str, runs), f"--out={tmp_path / 'mean'}"]) == 0
    data = ["--data.dataset=folder", f"--data.root={root / 'target'}", "--data.scheme=cityscapes"]
    assert main(["evaluate", str(tmp_path / "mean"), *data, "--flips=true", f"--out={tmp_path / 'scores.json'}"]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    told = {(row["measure"], row["name"]): row for row in rows_of(finished) if row["method"] == "mean, mirrored"}
    assert float(told["mean", "19"]["value"]) == scores["mean"]["19"]
    assert told["mean", "19"]["frames"] == "2", "a shot of each city, the same for both"
    assert (
        "the mean of the weights of 'joint', 'PixDA', seen at the scales 1 and mirrored"
        in (finished / "protocol.md").read_text()
    )
    (failed,) = (row["note"] for row in rows_of(finished) if row["method"] == "of nothing")
    assert "It needs 'maps too small · 1-shot · seed 0', which failed" in failed


def test_methods_start_from_the_shared_first_stage(finished):
    (first,) = (finished / "runs").glob("first_*")
    for cell in [*(finished / "runs").glob("joint_*"), *(finished / "runs").glob("pixda_*")]:
        made = json.loads((cell / "model.json").read_text())["made"]
        assert str(first) in made["first_weights"]
        assert "pretrain" not in made["steps"]


def test_started_again_it_runs_nothing_that_is_done(finished, root, capsys):
    before = {path: path.stat().st_mtime_ns for path in (finished / "runs").glob("*/model.safetensors")}
    grid = write_grid(finished.parent / "again.yaml", small_grid(root, seeds=[0]))
    assert main(["compare", str(grid), f"--out={finished}"]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "joint" in capsys.readouterr().out


def child_at_work_on(process, cell):
    """The id of the process that a comparison of ours has started for a cell."""
    children = [child for task in Path(f"/proc/{process.pid}/task").iterdir() for child in
                (task / "children").read_text().split()]  # fmt: skip
    (found,) = (child for child in children if str(cell).encode() in Path(f"/proc/{child}/cmdline").read_bytes())
    return int(found)


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_killed_in_a_cell_and_started_again_the_models_are_those_of_an_unbroken_one(
    finished, root, tmp_path, number, monkeypatch
):
    """SIGKILL hits the comparison alone: what it had started lives on, and is waited for, not started twice.

    What SIGTERM has stopped is moved, and named by a relative path, before it goes on.
    """
    grid = write_grid(tmp_path / "grid.yaml", small_grid(root, seeds=[0]))
    out = without_joint(finished, tmp_path / "out")
    process = start(grid, out)
    wait_until(lambda: list(out.glob("runs/joint_*/.lock")))
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == (1 if number == signal.SIGTERM else -9)
    if number == signal.SIGTERM:
        assert said.strip().splitlines()[-1].endswith(f"To go on: pixda compare {grid} --out={out} --at_once=2")
        assert not (out / "table.md").exists() or "not run" in (out / "table.md").read_text()
        monkeypatch.chdir(tmp_path)
        out = out.rename("moved")
    assert main(["compare", str(grid), f"--out={out}"]) == 0
    assert models(out) == {name: data for name, data in models(finished).items() if not name.startswith("mean")}


def test_a_cell_killed_from_outside_says_so_and_is_tried_anew(finished, root, tmp_path):
    grid = write_grid(tmp_path / "grid.yaml", small_grid(root, seeds=[0]))
    out = without_joint(finished, tmp_path / "out")
    process = start(grid, out)
    wait_until(lambda: list(out.glob("runs/joint_*/.lock")))
    (cell,) = (out / "runs").glob("joint_*")
    os.kill(child_at_work_on(process, cell), signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert "SIGKILL" in said
    assert "SIGKILL" in (out / "table.md").read_text()
    assert main(["compare", str(grid), f"--out={out}"]) == 0
    assert "SIGKILL" not in (out / "table.md").read_text()


def test_two_comparisons_in_one_folder_the_second_is_refused(finished, root, tmp_path, capsys):
    from pixda.machine.lock import hold

    grid = write_grid(tmp_path / "grid.yaml", small_grid(root, seeds=[0]))
    with hold(finished):
        assert main(["compare", str(grid), f"--out={finished}"]) == 1
    assert "at work" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out=x"], "title"),
        (["nowhere.yaml", "--out=x"], "nowhere.yaml"),
        (["{grid}"], "--out is needed"),
        (["{grid}", "--out={out}", "--at_once=0"], "1 or more"),
        (["{elsewhere}", "--out={out}"], "/nowhere"),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(root, tmp_path, capsys, words, said):
    grid = write_grid(tmp_path / "grid.yaml", small_grid(root))
    elsewhere = small_grid(root)
    elsewhere["experiment"]["target"]["root"] = "/nowhere"
    write_grid(tmp_path / "elsewhere.yaml", elsewhere)
    words = [word.format(grid=grid, elsewhere=tmp_path / "elsewhere.yaml", out=tmp_path / "out") for word in words]
    assert main(["compare", *words]) == 1
    message = capsys.readouterr().err
    assert said in message
    assert len(message.strip().splitlines()) == 1
    assert not list(tmp_path.glob("out/runs/*/checkpoint.pt"))
