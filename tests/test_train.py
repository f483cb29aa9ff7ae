"""`pixda train` and `pixda evaluate` end to end, on files, through the commands a user types."""

import csv
import json
import shutil

import pytest
import yaml
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from pixda.__main__ import main
from pixda.models import Ensemble, build_segmenter
from pixda.models.discriminators import PixelDiscriminator
from pixda.models.saved import load_model
from pixda.report.selections import judgements
from runs import assert_same_scores, refused, two_domains, words


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "pixda"
    assert main(words(root, out)) == 0
    return out


@pytest.mark.parametrize("method", ["source_only", "fine_tuning", "joint", "naae", "adaptsegnet", "advent", "fsda"])
def test_every_method_trains_and_is_scored(root, tmp_path, method):
    assert main(words(root, tmp_path / "run", method=method)) == 0
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert scores["frames"] == 3
    assert 0 <= scores["mean"]["19"] <= 1
    assert scores["iou"]["train"] is None, "a class without ground truth has no score"
    segmenter, made = load_model(tmp_path / "run")
    assert made["method"] == method
    made_anew = build_segmenter(classes=segmenter.classes, **segmenter.spec())
    with safe_open(tmp_path / "run/model.safetensors", framework="pt") as file:
        assert set(file.keys()) == set(made_anew.state_dict()), "what learned beside the network is not in the model"


def test_joint_training_on_the_sets_as_one(root, tmp_path):
    assert main(words(root, tmp_path / "run", "--recipe.batches=concatenated", method="joint")) == 0
    made = json.loads((tmp_path / "run/model.json").read_text())["made"]
    assert (made["departures"]["batches"], made["steps"]["joint"]) == ("concatenated", 6)


def test_a_run_leaves_all_that_is_needed_to_understand_it(finished):
    made = json.loads((finished / "model.json").read_text())["made"]
    assert (made["method"], made["preset"]) == ("pixda", "small")
    assert made["departures"]["adaptation_steps"] == 12
    assert made["departures"]["alignment.discriminators_at"] == "image"
    assert [(one["kept"], one["of"]) for one in made["selections"]] == [(6, 10), (0, 6)]
    assert made["steps"] == {"pretrain": 20, "adapt": 8, "distil": 12}
    assert yaml.safe_load((finished / "config.yaml").read_text())["recipe"]["batch"] == 2
    assert len(json.loads((finished / "shots.json").read_text())["names"]) == 2, "one shot of each of two cities"
    rows = list(csv.DictReader((finished / "logs/adapt.csv").open()))
    assert {"source", "target", "adversarial", "discriminator", "selection_discriminator", "lr"} <= set(rows[0])
    judged = list(csv.DictReader((finished / "logs/selection_1.csv").open()))
    assert len(judged) == 10
    assert sum(int(row["kept"]) for row in judged) == made["selections"][0]["kept"]
    assert list((finished / "logs/tensorboard").iterdir())
    discriminator = PixelDiscriminator(classes=19)
    discriminator.load_state_dict(load_file(finished / "discriminator.safetensors"))
    assert discriminator.layers[0].weight.abs().sum() > 0


def test_the_kept_model_is_the_scored_one(finished, root, tmp_path, capsys):
    data = [f"--data.dataset=folder --data.root={root}/target --data.scheme=cityscapes --data.split=val".split()]
    assert main(["evaluate", f"--model={finished}", *data[0], f"--out={tmp_path / 'again.json'}"]) == 0
    assert_same_scores(tmp_path / "again.json", finished / "scores.json")
    assert "mean of 19 classes" in capsys.readouterr().out


def test_networks_of_several_bands_are_kept_scored_and_used_as_one(root, tmp_path, capsys):
    out = tmp_path / "fda"
    assert main(words(root, out, method="fda")) == 0
    assert "pseudo-labels: " in capsys.readouterr().out
    segmenter, made = load_model(out)
    assert isinstance(segmenter, Ensemble)
    assert len(segmenter.members) == 2
    assert made["steps"] == {"pretrain": 20, "transfer": 20, "self-train-1": 20}
    data = f"--data.dataset=folder --data.root={root}/target --data.scheme=cityscapes --data.split=val".split()
    assert main(["evaluate", f"--model={out}", *data, f"--out={tmp_path / 'again.json'}"]) == 0
    assert_same_scores(tmp_path / "again.json", out / "scores.json")
    images = root / "target/images/val"
    assert main(["predict", f"--model={out}", f"--inputs={images}", f"--out={tmp_path / 'predicted'}"]) == 0
    assert len(list((tmp_path / "predicted").rglob("*.png"))) >= 3
    assert main(words(root, tmp_path / "on", f"--start_from={out}", method="joint")) == 0
    assert len(load_model(tmp_path / "on")[0].members) == 2, "one that is trained on stays what it is"


def test_rounds_that_have_nothing_to_do_are_refused_before_training(root, tmp_path, capsys):
    assert "--recipe.rounds" in refused(words(root, tmp_path / "run", "--recipe.rounds=-1", method="fda"), capsys)
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_from_the_same_first_stage_wherever_it_lies(root, tmp_path, capsys):
    first, other, out = tmp_path / "first", tmp_path / "other", tmp_path / "joint"
    short = ["--recipe.more_steps=0", "--recipe.pretrain_steps=2"]
    assert main(words(root, first, *short, method="source_only")) == 0
    assert main(words(root, other, *short, "--seed=1", method="source_only")) == 0
    weights = [(run / "model.safetensors").read_bytes() for run in (first, other)]
    assert weights[0] != weights[1], "another seed is another run"
    assert main(words(root, out, f"--start_from={first}", method="joint")) == 0
    made = json.loads((out / "model.json").read_text())["made"]
    assert made["steps"] == {"joint": 6}
    assert "source_only" in made["first_weights"]
    moved = first.rename(tmp_path / "moved")
    assert main(words(root, out, f"--start_from={moved}", "--resume=true", method="joint")) == 0
    capsys.readouterr()
    assert main(words(root, out, f"--start_from={other}", "--resume=true", method="joint")) == 1
    assert "another configuration: start_from: " in capsys.readouterr().err


def test_a_finished_run_is_not_overwritten(root, finished, capsys):
    before = (finished / "model.safetensors").read_bytes()
    assert main(words(root, finished)) == 1
    assert "--resume" in capsys.readouterr().err
    assert (finished / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("top", "said", "kept", "steps"),
    [
        (0.5, "the top 50 %", [(5, 10), (2, 5), (1, 2)], 5 + 2 + 1),
        (4, "the top 4", [(4, 10), (4, 4), (4, 4), (4, 4)], 12),  # as many as they are, to the phase's last step
    ],
)
def test_a_selection_of_the_top_says_so_everywhere(root, tmp_path, capsys, top, said, kept, steps):
    out = tmp_path / "run"
    assert main(words(root, out, "--recipe.selection.rule=top", f"--recipe.selection.top={top}")) == 0
    assert f"selection: {kept[0][0]} of 10 source images stay ({said})" in capsys.readouterr().out
    made = json.loads((out / "model.json").read_text())["made"]
    assert made["selections"] == [
        {"epoch": number, "top": top, "kept": stay, "of": of} for number, (stay, of) in enumerate(kept, start=1)
    ]
    assert made["steps"]["adapt"] == steps
    judged = list(csv.DictReader((out / "logs/selection_1.csv").open()))
    assert set(judged[0]) == {"name", "score", "top", "kept"}
    least = min(float(row["score"]) for row in judged if row["kept"] == "1")
    assert all(float(row["score"]) <= least for row in judged if row["kept"] == "0")
    assert judgements(out / "logs")[0].delta is None


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--recipe.crop=[80,32]", "80 x 32 does not fit"),
        ("--recipe.alignment.discriminators_at=logits", "would get 12 x 8"),
        ("--recipe.batch=50", "no full batch of 50"),
        ("--target.shots=4", "city 'north' has 3 frames"),
        ("--classes=camvid-11.yml", "camvid-11.yml"),
        ("--source.scheme=null", "label scheme"),
        ("--network.architecture=unet", "mobile_deeplab"),
    ],
)
def test_what_cannot_work_is_refused_before_training(root, tmp_path, capsys, option, said):
    assert said in refused(words(root, tmp_path / "run", option), capsys)
    assert not (tmp_path / "run/checkpoint.pt").exists()


def test_a_frame_that_is_learned_from_is_not_scored(tmp_path, capsys):
    """Whatever it is called: copies are found by their content."""
    root = two_domains(tmp_path)
    for kind in ("images", "masks"):
        shutil.copy(root / f"target/{kind}/train/north/0.png", root / f"target/{kind}/val/east/9.png")
        for number in (1, 2):  # one shot of each city: this one
            (root / f"target/{kind}/train/north/{number}.png").unlink()
    assert main(words(root, tmp_path / "run")) == 1
    message = capsys.readouterr().err
    assert "'north/0' (as 'east/9')" in message
    assert not (tmp_path / "run/checkpoint.pt").exists()


def test_training_says_what_is_odd_about_the_data(tmp_path, capsys):
    root = two_domains(tmp_path)
    Image.new("RGB", (64, 48), (9, 9, 9)).save(root / "source/images/000.png")
    options = ["--recipe.pretrain_steps=1", "--recipe.tuning_steps=1"]
    assert main(words(root, tmp_path / "run", *options, method="fine_tuning")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 image is all of one colour" in said
    assert "000.png" in said
    assert main(words(root, tmp_path / "another", *options, method="fine_tuning")) == 0
    assert "all of one colour" not in capsys.readouterr().out, "once is enough"
