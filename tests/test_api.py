"""PixDA from Python: training, scores, predictions and pictures."""

import builtins
import json

import numpy as np
import pytest
from PIL import Image

from pixda.api import (
    Alignment,
    DistillationSettings,
    Network,
    UserError,
    frame,
    load,
    print_scores,
    read_scores,
    show,
    train,
)
from pixda.terminal import console
from runs import experiment_on


@pytest.fixture(scope="module")
def experiment(root):
    return experiment_on(root, network=Network("tiny"))


@pytest.fixture(scope="module")
def trained(root, experiment):
    quick = {"crop": (48, 32), "batch": 2, "pretrain_steps": 4, "adaptation_steps": 4}
    groups = {"alignment": Alignment(discriminators_at="image"), "distillation": DistillationSettings(steps=2)}
    return train(experiment, "pixda", str(root / "run"), preset="small", **quick, **groups)


def test_a_run_leaves_its_settings_its_scores_and_a_model(root, trained, capsys):
    assert trained == root / "run"
    made = json.loads((trained / "model.json").read_text())["made"]
    assert made["steps"] == {"pretrain": 4, "adapt": 4, "distil": 2}
    assert made["departures"]["pretrain_steps"] == 4
    scores = read_scores(str(trained))
    assert 0 <= scores.pixel_accuracy <= 1
    print_scores({"PixDA": scores})
    assert "PixDA" in capsys.readouterr().out


def test_a_finished_run_is_not_begun_again(experiment, trained):
    with pytest.raises(UserError, match="give resume=True"):
        train(experiment, "pixda", trained, preset="small")


def test_what_is_wrong_is_said_before_training(experiment, tmp_path):
    with pytest.raises(UserError, match=r"'fine_tuning' has no setting 'adaptation_steps'; it has .*tuning_steps"):
        train(experiment, "fine_tuning", tmp_path / "run", adaptation_steps=4)
    with pytest.raises(UserError, match=r"no .*scores\.json"):
        read_scores(tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_frame_is_shown_beside_its_truth_and_its_prediction(root, experiment, trained):
    shown = frame(experiment.target, 1)
    assert shown.name == "north/1"
    assert shown.image.shape == (48, 64, 3)
    model = load(trained)
    board = model.show(shown.image, shown.truth, model.predict(shown.image))
    assert board.size == (3 * 64 + 2 * 4, 48)
    array = np.asarray(board)
    np.testing.assert_array_equal(array[:, :64], shown.image)
    np.testing.assert_array_equal(array[:, 68:132], model.classes.palette()[shown.truth])
    file = root / "target/images/train/north/1.png"
    np.testing.assert_array_equal(np.asarray(show(file)), shown.image)
    with pytest.raises(UserError, match=r"no frame 6 .* it has 6"):
        frame(experiment.target, 6)


def test_what_cannot_be_shown_is_said():
    classes = np.zeros((8, 8), np.uint8)
    with pytest.raises(UserError, match="one height, not 8, 4 pixels"):
        show(classes, classes[:4])
    with pytest.raises(UserError, match="uint8 H x W, not int64"):
        show(classes.astype(np.int64))
    assert not np.asarray(show(np.full((8, 8), 255, np.uint8))).any()


def test_arrays_and_files_give_class_indices(trained, tmp_path):
    model = load(trained)
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png")
    predicted = model.predict(image)
    assert predicted.shape == (50, 70)
    assert predicted.dtype == np.uint8
    assert predicted.max() < len(model.classes.names)
    np.testing.assert_array_equal(predicted, model.predict(tmp_path / "photo.png"))
    np.testing.assert_array_equal(predicted, model.predict(str(tmp_path / "photo.png")))
    assert model.predict(image[:, ::-1]).shape == (50, 70), "a mirrored view of an array is an array, too"
    for wrong in (image / 255, image[..., 0], image.transpose(2, 0, 1)):
        with pytest.raises(UserError, match="uint8 H x W x 3"):
            model.predict(wrong)


def test_a_notebook_gets_plain_lines(monkeypatch, capsys):
    """A kernel asks every tool for colours, and rich would draw tables as HTML and bars as widgets."""

    class ZMQInteractiveShell:
        pass

    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen = console(stderr=True)
    assert not screen.is_jupyter
    assert not screen.is_terminal
    screen.print("said", style="red")
    assert capsys.readouterr() == ("said\n", "")
