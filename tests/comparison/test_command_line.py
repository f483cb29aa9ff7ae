"""Single fields of a grid, and the machines, given on the command line."""

from dataclasses import replace

import pytest

from comparison.grids import small_grid, write_grid
from pixda.__main__ import main
from pixda.comparison.command_line import Resources, changed, split_words
from pixda.comparison.grid import Grid, Row, plan
from pixda.errors import UserError


@pytest.fixture
def grid(tmp_path):
    values = small_grid(tmp_path)
    return Grid(**values | {"rows": {label: Row(**row) for label, row in values["rows"].items()}})


def given(grid, *words):
    rest, fields = split_words(words)
    assert not rest
    return changed(grid, fields)


def test_one_field_changes_and_the_others_of_its_group_stay(grid):
    new = given(grid, "--experiment.machine.threads", "2", "--recipe.segmenter.lr=3e-3", "--recipe.crop=[32, 16]")
    assert new.experiment["machine"] == {"accelerator": "cpu", "threads": 2, "workers": 0}
    assert new.recipe == grid.recipe | {"crop": [32, 16], "segmenter": {"lr": 0.003}}
    assert replace(new, experiment=grid.experiment, recipe=grid.recipe) == grid
    (one,) = [cell for cell in plan(new) if cell.cell.row == "PixDA" and cell.cell.seed == 0]
    assert one.run.training.experiment.machine.threads == 2
    assert (one.run.training.recipe.crop, one.run.training.recipe.segmenter.lr) == ((32, 16), 3e-3)


def test_fields_of_rows_and_splits(grid):
    new = given(grid, "--rows.PixDA.recipe.distillation.steps=7", "--splits.far.source.root=/far")
    assert new.rows["PixDA"].method == "pixda"
    assert new.rows["PixDA"].recipe == {"distillation": {"steps": 7}, "alignment": {"discriminators_at": "image"}}
    assert new.splits == {"far": {"source": {"root": "/far"}}}


def test_the_last_word_holds_and_what_is_no_field_is_left_to_the_parser(grid):
    words = ["g.yaml", "--recipe.batch", "3", "--out=x", "--recipe.batch=4", "--seeds=[0]", "--experiment={}"]
    rest, fields = split_words(words)
    assert rest == ["g.yaml", "--out=x", "--seeds=[0]", "--experiment={}"]
    assert changed(grid, fields).recipe["batch"] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--recipe.batch"], "--recipe.batch needs a value"),
        (["--recipe.crop=[3"], "is no YAML"),
        (["--rows.joined.recipe.batch=3"], "no row 'joined'; its rows are first stage, joint, PixDA"),
        (["--rows.joint.recipes=3"], "method, recipe, preset"),
        (["--rows.joint=3"], "method, recipe, preset"),
    ],
)
def test_a_mistake_says_what_there_is(grid, words, said):
    with pytest.raises(UserError, match=said):
        given(grid, *words)


def test_a_field_that_no_config_has_is_refused_by_its_name(tmp_path, capsys):
    path = write_grid(tmp_path / "grid.yaml", small_grid(tmp_path))
    assert main(["compare", str(path), f"--out={tmp_path / 'out'}", "--experiment.machine.treads=2"]) == 1
    assert "treads" in capsys.readouterr().err


@pytest.mark.parametrize("given", [{"at_once": 0}, {"cpus": 0}, {"gpus": -1}, {"gpus": 1.5}])
def test_numbers_of_machines_out_of_range_are_refused(given):
    with pytest.raises(UserError, match=f"--{next(iter(given))} is"):
        Resources(**given)
