"""`pixda validate`: folds of the shots, no test split."""

import json
import shutil

import pytest
import torch

from pixda.__main__ import main
from pixda.calibration import calibration_of, fit_temperature
from pixda.data.folder import Folder
from pixda.data.shots import read_manifest
from pixda.models.saved import load_model
from pixda.models.upsampling import upsample
from runs import two_domains, words


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    shutil.rmtree(root / "target/images/val")  # the test split: it must not be asked for
    shutil.rmtree(root / "target/masks/val")
    return root


def typed(root, out, *more):
    given = words(root, out, "--target.shots=2", "--recipe.pretrain_steps=6", *more, method="joint")
    return ["validate", *given[1:]]


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("folds") / "out"
    assert main(typed(root, out, "--folds=2")) == 0
    return out


def test_every_shot_is_held_out_once_and_never_learned_from_then(finished):
    result = json.loads((finished / "validation.json").read_text())
    trained = [set(read_manifest(finished / f"fold_{fold}/shots.json").names) for fold in (1, 2)]
    assert len(result["shots"]) == 4
    assert trained[0] | trained[1] == set(result["shots"])
    assert not trained[0] & trained[1]
    assert [json.loads((finished / f"fold_{fold}/scores.json").read_text())["frames"] for fold in (1, 2)] == [2, 2]


def test_means_and_spreads_are_over_the_folds_that_show_a_class(finished):
    result = json.loads((finished / "validation.json").read_text())
    folds = [json.loads((finished / f"fold_{fold}/scores.json").read_text()) for fold in (1, 2)]
    one, two = (fold["mean"]["19"] for fold in folds)
    assert result["mean"]["19"]["mean"] == pytest.approx((one + two) / 2)
    assert result["mean"]["19"]["std"] == pytest.approx(abs(one - two) / 2**0.5)
    assert result["iou"]["train"] == {"mean": None, "std": None, "count": 0}
    assert result["weights"] == "last"


def test_the_temperature_is_fitted_on_the_held_out_shots(root, finished):
    """Again by hand: the logits of each fold's network at the labelled pixels of the shots held out of it."""
    result = json.loads((finished / "validation.json").read_text())
    logits, labels = [], []
    for fold in (1, 2):
        segmenter, _ = load_model(finished / f"fold_{fold}")
        held_out = set(result["shots"]) - set(read_manifest(finished / f"fold_{fold}/shots.json").names)
        frames = Folder(root / "target", "train", segmenter.classes, scheme="cityscapes").subset(sorted(held_out))
        for sample in (frames[number] for number in range(len(frames))):
            with torch.no_grad():
                found = upsample(segmenter.eval()(sample.image[None].float()), sample.mask.shape)[0].flatten(1).T
            logits.append(found[sample.mask.flatten() != 255])
            labels.append(sample.mask[sample.mask != 255].long())
    logits, labels = torch.cat(logits), torch.cat(labels)
    assert result["temperature"] == pytest.approx(fit_temperature(logits, labels), rel=1e-3)
    assert result["ece_before"] == pytest.approx(calibration_of(logits, labels).ece, abs=1e-3)
    assert result["ece_after"] == pytest.approx(calibration_of(logits, labels, result["temperature"]).ece, abs=1e-3)


def test_what_is_there_is_not_trained_again(root, finished, capsys):
    before = (finished / "fold_2/model.safetensors").read_bytes()
    assert main(typed(root, finished, "--folds=2", "--resume=true")) == 0
    assert (finished / "fold_2/model.safetensors").read_bytes() == before
    said = capsys.readouterr().out
    assert "±" in said
    assert "pixda predict --temperature" in said
    assert "test split was not opened" in said


@pytest.mark.parametrize(("more", "said"), [(["--folds=5"], "5 folds of 4 shots"), (["--folds=1"], "1 folds of 4")])
def test_folds_that_the_shots_cannot_fill(root, tmp_path, capsys, more, said):
    assert main(typed(root, tmp_path / "out", *more)) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
