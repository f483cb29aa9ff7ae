"""What a grid file asks for."""

import shutil
from pathlib import Path

import pytest
import yaml

from comparison.grids import small_grid
from pixda.comparison.grid import Grid, Row, merged, plan
from pixda.comparison.jobs import jobs_for
from pixda.errors import UserError


@pytest.fixture
def grid(tmp_path):
    def make(**changes):
        values = small_grid(tmp_path, **changes)
        return Grid(**(values | {"rows": {label: Row(**row) for label, row in values["rows"].items()}}))

    return make


def test_every_row_meets_every_number_of_shots_and_every_seed(grid):
    cells = [planned.cell for planned in plan(grid(shots=[1, 2], seeds=[0, 5]))]
    joint = [(cell.shots, cell.seed) for cell in cells if cell.row == "joint"]
    assert joint == [(1, 0), (1, 5), (2, 0), (2, 5)]
    # Source only never sees a shot: one run for all of them.
    assert [(cell.shots, cell.seed) for cell in cells if cell.row == "first stage"] == [(1, 0), (1, 5)]


def test_a_cell_is_what_its_config_would_be(grid):
    (planned,) = [one for one in plan(grid(seeds=[7], shots=[2])) if one.cell.row == "PixDA"]
    training = planned.run.training
    assert (training.experiment.seed, training.experiment.target.shots) == (7, 2)
    assert training.recipe.distillation.steps == 2, "the row's own setting"
    assert training.recipe.adaptation_steps == 4, "the grid's"
    assert training.recipe.discriminators.lr == 4e-4, "the preset's"


def test_splits_change_the_data_and_nothing_else(grid):
    splits = {"near": {}, "far": {"source": {"root": "/far"}}}
    cells = plan(grid(splits=splits, seeds=[0]))
    roots = {one.cell.split: str(one.run.training.experiment.source.root) for one in cells}
    assert roots["far"] == "/far" != roots["near"]
    assert len(cells) == 6


def test_cells_share_a_first_stage_when_all_that_goes_into_it_is_equal(grid, tmp_path):
    rows = small_grid(tmp_path)["rows"] | {
        "other loss": {"method": "joint", "recipe": {"loss": {"kind": "focal"}}},
        "other steps after it": {"method": "joint", "recipe": {"joint_steps": 2}},
    }
    cells = plan(grid(rows=rows, seeds=[0, 1], splits={"": {}, "far": {"source": {"split": "far"}}}))
    _, filled = jobs_for(cells, tmp_path / "out")
    first = {cell: (*job.needs, job)[0].folder for cell, job in filled.items()}
    alike = {
        folder for cell, folder in first.items() if (cell.seed, cell.split) == (0, "") and cell.row != "other loss"
    }
    assert len(alike) == 1, "method and steps after the first stage do not matter"
    assert len(set(first.values())) == 8, "two seeds, two sources, two losses"


def test_a_first_stage_is_scored_again_only_on_another_target(grid, tmp_path):
    splits = {"near": {}, "far": {"target": {"root": "/far"}}}
    cells = plan(grid(rows={"first stage": small_grid(tmp_path)["rows"]["first stage"]}, seeds=[0], splits=splits))
    jobs, filled = jobs_for(cells, tmp_path / "out")
    near, far = filled.values()
    assert jobs == [near, far]
    assert near.product == near.folder / "scores.json"
    assert far.needs == [near]
    assert far.words[0] == "evaluate"


def test_the_first_stage_has_the_settings_of_the_rows_own_pretraining(grid):
    (planned,) = [one for one in plan(grid(seeds=[3])) if one.cell.row == "PixDA"]
    stage = planned.first.training
    assert stage.method == "source_only"
    assert stage.recipe.more_steps == 0
    own, first = planned.run.training.recipe.phases()[0], stage.recipe.phases()[0]
    assert (own.steps, own.batch, own.optimiser, own.loss) == (first.steps, first.batch, first.optimiser, first.loss)
    assert stage.experiment.seed == 3


def test_rows_of_others_take_their_networks_and_share_a_mean_of_weights(grid, tmp_path):
    rows = small_grid(tmp_path)["rows"] | {
        "joint, mirrored": {"of": ["joint"], "flips": True},
        "mean": {"of": ["joint", "PixDA"]},
        "mean, two sizes": {"of": ["joint", "PixDA"], "scales": [1.0, 1.25]},
    }
    cells = plan(grid(rows=rows, seeds=[0], shots=[1, 2]))
    jobs, filled = jobs_for(cells, tmp_path / "out")
    by_place = {(cell.row, cell.shots): job for cell, job in filled.items()}
    assert by_place["joint, mirrored", 2].needs == [by_place["joint", 2]]
    assert by_place["joint, mirrored", 2].words[2] == str(by_place["joint", 2].folder)
    (mean,) = by_place["mean", 2].needs
    assert by_place["mean, two sizes", 2].needs == [mean]
    assert mean.needs == [by_place["joint", 2], by_place["PixDA", 2]]
    assert jobs.index(mean) < jobs.index(by_place["mean", 2])
    assert [one.words[0] for one in jobs].count("average") == 2, "one for each number of shots"


def test_a_mean_of_rows_that_were_changed_is_not_kept(grid, tmp_path):
    """Who removes a changed row's folder, as the error says, must not keep what was made of the old one."""
    rows = small_grid(tmp_path)["rows"] | {"mean": {"of": ["joint", "PixDA"]}}
    jobs_for(plan(grid(rows=rows, seeds=[0])), tmp_path / "out")
    shutil.rmtree(next((tmp_path / "out/runs").glob("joint_*")))
    recipe = small_grid(tmp_path)["recipe"] | {"joint_steps": 5}
    with pytest.raises(UserError, match=r"holds the cell 'mean · 1-shot · seed 0' of another grid: of\.joint"):
        jobs_for(plan(grid(rows=rows, seeds=[0], recipe=recipe)), tmp_path / "out")
    machine = small_grid(tmp_path)["experiment"]
    machine["machine"] |= {"threads": 2}
    fresh = tmp_path / "fresh"
    before, _ = jobs_for(plan(grid(rows=rows, seeds=[0])), fresh)
    after, _ = jobs_for(plan(grid(rows=rows, seeds=[0], experiment=machine)), fresh)
    assert [job.folder for job in before] == [job.folder for job in after], "the machine may change"


def test_a_row_of_others_needs_a_test_set(grid, tmp_path):
    rows = small_grid(tmp_path)["rows"] | {"mine": {"of": ["joint"]}}
    experiment = small_grid(tmp_path)["experiment"]
    experiment["target"] |= {"test_split": None}
    with pytest.raises(UserError, match=r"Row 'mine'.*target\.test_split"):
        plan(grid(rows=rows, experiment=experiment))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": {"mine": {"method": "pixdaa"}}}, "Row 'mine'.*pixdaa"),
        ({"rows": {"mine": {"method": "joint", "recipe": {"joint_step": 3}}}}, "Row 'mine'.*joint_step"),
        ({"rows": {"mine": {"method": "joint", "preset": "papers"}}}, "Row 'mine'.*papers"),
        ({"splits": {"far": {"sauce": 1}}}, "split 'far'.*sauce"),
        ({"rows": {"mine": {}}}, "Row 'mine'.*needs a method"),
        ({"rows": {"mine": {"of": ["yours"]}}}, "Row 'mine'.*no row 'yours'"),
        ({"rows": {"mine": {"method": "joint", "flips": True}}}, "Row 'mine'.*scales and flips"),
        ({"rows": {"a": {"method": "joint"}, "mine": {"of": ["a"], "method": "joint"}}}, "'mine'.*trains nothing"),
        ({"rows": {"a": {"method": "joint"}, "mine": {"of": ["a", "a"]}}}, "'mine'.*twice"),
        ({"rows": {"a": {"method": "joint"}, "mine": {"of": ["a"], "scales": [9]}}}, "'mine'.*scales is .9.: give"),
        (
            {
                "rows": {
                    "a": {"method": "joint"},
                    "b": {"method": "joint", "recipe": {"pretrain_steps": 2}},
                    "mine": {"of": ["a", "b"]},
                }
            },
            "'mine'.*differ in their first stage",
        ),
        ({"rows": {}}, "no rows"),
        ({"seeds": []}, "no seeds"),
    ],
)
def test_a_mistake_names_its_row_or_split(grid, changes, said):
    with pytest.raises(UserError, match=said) as error:
        plan(grid(**changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("where", ["grid", "row", "method", "label", "split"])
def test_a_mistake_does_not_repeat_a_value_of_pages(grid, where):
    """What the fuzzed readers found: nine thousand characters as the name of a preset."""
    pages = "x" * 9_000
    row = {"method": "joint", "preset": "papers"}
    changes = {
        "grid": {"preset": pages},
        "row": {"rows": {"mine": row | {"preset": pages}}},
        "method": {"rows": {"mine": {"method": pages}}},
        "label": {"rows": {pages: row}},
        "split": {"rows": {"mine": row}, "splits": {pages: {}}},
    }[where]
    with pytest.raises(UserError, match=r"There is no (preset|method)") as error:
        plan(grid(**changes))
    assert len(str(error.value)) < 500


def test_the_folder_of_another_grid_is_not_taken_over(grid, tmp_path):
    jobs_for(plan(grid()), tmp_path / "out")
    with pytest.raises(UserError, match="joint_steps: 4 -> 5"):
        jobs_for(plan(grid(recipe={**small_grid(tmp_path)["recipe"], "joint_steps": 5})), tmp_path / "out")


def test_a_folder_may_be_moved_or_named_otherwise(grid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jobs_for(plan(grid()), Path("out"))
    jobs, _ = jobs_for(plan(grid()), Path("out").rename("moved").absolute())
    for job in jobs:
        asked = yaml.safe_load((job.folder / "asked.yaml").read_text())
        assert asked.get("start_from") == (str(job.needs[0].folder) if job.needs else None), "where it is now"


def test_merging_replaces_values_and_keeps_the_rest_of_groups():
    assert merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}) == {"a": {"b": 3, "c": 2}, "d": [2]}
