"""Every shipped config is parsed against the live options, and says how it is run."""

from functools import cache

import pytest
import yaml

from pixda.comparison.grid import Grid, Row, plan
from pixda.errors import UserError
from pixda.methods import METHODS
from pixda.options import method_and_preset, parse, train_parser
from pixda.shipped import CONFIGS as SHIPPED

ALL = sorted(SHIPPED.rglob("*.yaml"))
GRIDS = [path for path in ALL if path.parent.name == "compare"]
CONFIGS = [path for path in ALL if path not in GRIDS]


def name(path):
    return f"{path.parent.name}/{path.name}"


@cache
def read(path, *more):
    words = ["--config", str(path), *more]
    method, preset = method_and_preset(words)
    return method, preset, parse(train_parser(method, preset), words)


def test_there_is_a_config_for_every_pair_and_method():
    pairs = ("gta5_to_cityscapes", "synthia_to_cityscapes", "streets_to_camvid", "streets_to_streets")
    assert {name(path) for path in CONFIGS} >= {f"{pair}/{method}.yaml" for pair in pairs for method in METHODS}
    assert {name(path) for path in CONFIGS} >= {f"{pair}/naae_fcn8s.yaml" for pair in pairs}


def test_there_are_configs_for_idda_and_for_two_sources():
    methods = ("source_only", "fine_tuning", "joint", "pixda")
    by_name = {name(path): read(path)[2] for path in CONFIGS}
    assert {by_name[f"idda_to_cityscapes/{method}.yaml"].source.dataset for method in methods} == {"idda"}
    both = by_name["gta5_synthia_to_cityscapes/pixda.yaml"]
    assert [one.dataset for one in (both.source, *both.more_sources)] == ["gta5", "synthia"]
    assert all(given.more_sources == [] for given in by_name.values() if given is not both)


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_a_shipped_config_fits_the_options(path):
    method, _, given = read(path)
    assert path.stem == method or path.stem.startswith(f"{method}_"), "a variant of it is named after it"
    assert f"pixda train {name(path).removesuffix('.yaml')} --out" in path.read_text()
    assert given.recipe.phases()[0].name == "pretrain"
    assert given.source.root != given.target.root or given.source.split != given.target.split


@pytest.mark.parametrize("path", GRIDS, ids=name)
def test_a_shipped_grid_fits_the_options_and_gives_every_row_the_same_steps(path):
    assert f"pixda compare {name(path).removesuffix('.yaml')} --out" in path.read_text()
    values = yaml.safe_load(path.read_text())
    grid = Grid(**(values | {"rows": {label: Row(**row) for label, row in values["rows"].items()}}))
    cells = plan(grid)
    assert {cell.cell.row for cell in cells} == set(grid.rows)
    if grid.preset == "small":
        steps = [sum(phase.steps for phase in cell.run.training.recipe.phases()) for cell in cells]
        first = cells[0].first.training.recipe.pretrain_steps
        assert set(steps) - {first} == {max(steps)}


def test_lambda_is_a_tenth_for_gta5_and_one_for_synthia():
    found = {path.parent.name: read(path)[2].recipe.alignment.weight for path in CONFIGS if path.stem == "pixda"}
    assert found["gta5_to_cityscapes"] == 0.1
    assert found["synthia_to_cityscapes"] == 1


def test_naae_style_on_its_own_network_has_an_optimiser_near_its_own():
    for pair in ("gta5_to_cityscapes", "synthia_to_cityscapes"):
        given = read(next(path for path in CONFIGS if name(path) == f"{pair}/naae_fcn8s.yaml"))[2]
        assert (given.network.architecture, given.recipe.batch, given.recipe.loss.kind) == ("fcn8s", 1, "focal")
        weigh = given.recipe.phases()[1]
        assert (weigh.steps, weigh.optimiser.horizon, weigh.optimiser.kind) == (100000, 150000, "adamw")
        assert (weigh.optimiser.lr, weigh.optimiser.head_lr_factor, weigh.optimiser.weight_decay) == (1e-4, 1, 1e-4)
        assert weigh.optimiser.power == 0.9


def test_options_after_a_config_override_it_and_the_rest_of_the_preset_stays():
    path = next(path for path in CONFIGS if name(path) == "gta5_to_cityscapes/pixda.yaml")
    _, preset, given = read(path, "--preset=official", "--recipe.selection.delta=0.5")
    assert preset == "official"
    assert given.recipe.selection.delta == 0.5
    assert given.recipe.selection.growth == "add"
    assert given.recipe.segmenter.lr == 1e-3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("method: pixda\nsource: {dataset: gta5, root: a}\ntarget: {dataset: camvid, root: b}\nsauce: 3\n", "sauce"),
        ("method: pixda\nrecipe:\n  alignment:\n    wieght: 1\n", "wieght"),
        ("method: pixdaa\n", "pixdaa"),
        ("preset: papers\n", "papers"),
    ],
)
def test_a_mistake_in_a_config_is_one_sentence_that_names_it(tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as error:
        read(path)
    assert "\n" not in str(error.value)
