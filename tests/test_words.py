"""What people type, and what the parsers get."""

import pytest

from pixda.__main__ import main
from pixda.errors import UserError
from pixda.options import BASICS, read_training, train_parser
from pixda.shipped import find_config, names, with_config
from pixda.words import as_size, leading, normalised_words
from runs import refused


@pytest.mark.parametrize("text", ["480x360", "480X360", "480×360", "480,360", "480 360", "[480,360]", "(480, 360)"])
def test_a_size_in_any_form(text, tmp_path):
    assert as_size(text) == [480, 360]
    words = ["--method=joint", "--source={dataset: streets, root: a}", "--target={dataset: streets, root: a}"]
    assert read_training([*words, f"--size={text}"]).experiment.size == (480, 360)
    assert read_training([*words, "--size", *text.split(" ", 1 if "," not in text else 0)]).experiment.size == (
        480,
        360,
    )
    (tmp_path / "mine.yaml").write_text(
        f"method: joint\nsource: {{dataset: streets, root: a}}\ntarget: {{dataset: streets, root: a}}\n"
        f"size: {text if text.startswith('[') else repr(text)}\nrecipe: {{crop: 64x48}}\n"
    )
    given = read_training([f"--config={tmp_path / 'mine.yaml'}"])
    assert (given.experiment.size, given.recipe.crop) == ((480, 360), (64, 48))


def test_what_is_no_size_is_left_alone():
    assert normalised_words(["--size", "large", "--recipe.crop=null", "--name", "480x360"]) == [
        *("--size", "large", "--recipe.crop", "null", "--name", "480x360")
    ]
    assert as_size("480") is None


def test_words_before_the_options_are_inputs():
    assert leading(["a.jpg", "b", "--model", "run"], "--inputs") == ["--inputs", "a.jpg", "b", "--model", "run"]
    assert leading(["--model", "run"], "--inputs") == ["--model", "run"]


def test_shipped_configs_are_found_by_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("streets_to_camvid/joint") == find_config("streets_to_camvid/joint.yaml")
    assert find_config("configs/streets_to_camvid/joint.yaml").is_file(), "as older pages write it"
    (tmp_path / "own.yaml").write_text("method: joint\n")
    assert find_config("own.yaml").read_text() == "method: joint\n"
    with pytest.raises(UserError, match="did you mean streets_to_camvid/joint"):
        find_config("streets_to_camvid/jiont")
    assert with_config(["streets_to_camvid/joint", "--seed", "1"])[1].endswith("streets_to_camvid/joint.yaml")
    with pytest.raises(UserError, match="one word too many"):
        with_config(["streets_to_camvid/joint", "runs/first"])


def test_configs_are_listed_and_printed(capsys):
    assert main(["configs"]) == 0
    assert capsys.readouterr().out.splitlines() == names()
    assert main(["configs", "streets_to_camvid/joint"]) == 0
    assert "method: joint" in capsys.readouterr().out


def test_the_short_help_has_the_basics_and_says_how_to_see_all(capsys):
    for words, everything in ((["--help"], False), (["--help", "all"], True)):
        with pytest.raises(SystemExit):
            main(["train", *words])
        said = capsys.readouterr().out
        assert "--target.root" in said
        assert ("--recipe.segmenter.lr" in said) is everything
        if not everything:
            assert "--help all" in said
            assert len(said.splitlines()) < 60
    known = {option for action in train_parser("pixda", "paper")._actions for option in action.option_strings}
    assert known >= {f"--{name}" for name in BASICS}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["trian"], "train"),
        (["train", "--method=jiont"], "joint"),
        (["train", "--method=joint", "--preset=smal"], "small"),
        (["train", "--method=joint", "--recipe.joint_step=3"], "--recipe.joint_steps"),
        (["train", "--recipe.alignment.wieght=1"], "--recipe.alignment.weight"),
    ],
)
def test_what_was_meant_is_proposed(words, meant, capsys):
    assert f"Did you mean {meant}" in refused(words, capsys)


def test_the_old_names_of_options_are_understood(tmp_path):
    """Configs and runs from before the discriminators were called so."""
    old = tmp_path / "old.yaml"
    old.write_text("method: pixda\nrecipe:\n  critics: {lr: 0.003}\n  alignment: {critic: image, critics_at: logits}\n")
    words = ["--config", str(old), "--recipe.critics.beta1=0.5"]
    words += [f"--{side}.{key}=streets" for side in ("source", "target") for key in ("dataset", "root")]
    recipe = read_training(words).recipe
    assert (recipe.discriminators.lr, recipe.discriminators.beta1) == (0.003, 0.5)
    assert (recipe.alignment.discriminator, recipe.alignment.discriminators_at) == ("image", "logits")
