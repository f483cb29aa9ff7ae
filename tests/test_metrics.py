"""One confusion matrix, all protocols: against loops over pixels."""

import json
from dataclasses import replace

import pytest
import torch

from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.metrics import ConfusionMatrix, Scores, Spread, _count_on_any_device, _count_on_cpu, percent


@pytest.fixture(scope="module")
def cityscapes():
    return ClassSet.load("cityscapes-19")


def literal_iou(predicted, labels, c):
    hit = truth = said = 0
    for p, y in zip(predicted.flatten().tolist(), labels.flatten().tolist(), strict=True):
        if y == 255:
            continue
        hit += p == c and y == c
        truth += y == c
        said += p == c
    return hit / (truth + said - hit) if truth else None


def test_iou_and_protocol_means_are_the_written_ones(cityscapes):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 19, (2, 40, 50), generator=generator)
    labels[labels == 16] = 255  # no train in the ground truth
    predicted = torch.where(torch.rand(2, 40, 50, generator=generator) < 0.5, labels, 3).clamp_max(18)
    predicted[0, 0, :5] = 16
    matrix = ConfusionMatrix(cityscapes)
    for one, truth in zip(predicted, labels, strict=True):
        matrix.update(one.to(torch.uint8), truth.to(torch.uint8))
    scores = matrix.scores()
    expected = [literal_iou(predicted, labels, c) for c in range(19)]
    assert expected[16] is None
    for name, value in zip(cityscapes.names, expected, strict=True):
        assert scores.iou[name] == pytest.approx(value)
    sixteen = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18]
    thirteen = [0, 1, 2, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18]
    for protocol, members in (("19", range(19)), ("16", sixteen), ("13", thirteen)):
        present = [expected[c] for c in members if expected[c] is not None]
        assert scores.mean[protocol] == pytest.approx(sum(present) / len(present))


def test_nothing_to_score_is_said(cityscapes):
    matrix = ConfusionMatrix(cityscapes)
    matrix.update(torch.tensor([[0]]), torch.tensor([[255]]))
    with pytest.raises(UserError, match="nothing to score"):
        matrix.scores()


@pytest.fixture
def saved(cityscapes, tmp_path):
    """Scores of two pixels, one of them right, and their file."""
    matrix = ConfusionMatrix(cityscapes)
    matrix.update(torch.tensor([[0, 1]]), torch.tensor([[0, 2]]))
    path = tmp_path / "scores.json"
    matrix.scores().save(path, split="val", frames=1)
    return matrix.scores(), path


def test_scores_survive_their_file_which_has_a_line_for_each_class_of_the_confusion_matrix(saved):
    scores, path = saved
    assert Scores.load(path) == scores
    assert scores.confusion[2][1] == 1
    text = path.read_text()
    assert text.startswith('{\n  "split": "val",\n  "frames": 1,\n  "iou": {\n    "road": 1.0,\n')
    assert text.endswith("]\n  ]\n}\n")
    rows = [line for line in text.splitlines() if line.startswith("    [")]
    assert [json.loads(line.strip().rstrip(",")) for line in rows] == scores.confusion


def test_scores_of_before_the_confusion_matrix_was_kept_still_load(saved):
    scores, path = saved
    record = json.loads(path.read_text())
    del record["confusion"]
    path.write_text(json.dumps(record))
    assert Scores.load(path) == replace(scores, confusion=None)
    Scores.load(path).save(path)
    assert "confusion" not in json.loads(path.read_text())


# The one is for a processor, the other for a GPU, and runs here as well.
@pytest.mark.parametrize("count", [_count_on_cpu, _count_on_any_device])
@pytest.mark.parametrize("kind", [torch.uint8, torch.int64])
def test_many_images_at_once_and_views_of_them_are_counted_pixel_by_pixel(count, kind):
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 20, (3, 30, 40), generator=generator).masked_fill_(torch.rand(3, 30, 40) < 0.1, 255)
    labels[labels == 19] = 255
    predicted = torch.randint(0, 19, (3, 30, 40), generator=generator)
    expected = torch.zeros(19, 19, dtype=torch.int64)
    for p, y in zip(predicted.flatten().tolist(), labels.flatten().tolist(), strict=True):
        if y != 255:
            expected[y, p] += 1
    assert torch.equal(count(labels.to(kind).permute(2, 0, 1), predicted.to(kind).permute(2, 0, 1), 19), expected)


def test_shares_and_accuracy_are_those_of_labelled_pixels(cityscapes):
    matrix = ConfusionMatrix(cityscapes)
    matrix.update(torch.tensor([[0, 0, 1, 2, 5]]), torch.tensor([[0, 0, 0, 2, 255]]))
    matrix.update(torch.tensor([[2]]), torch.tensor([[2]]))
    scores = matrix.scores()
    assert scores.pixel_accuracy == pytest.approx(4 / 5)
    assert {name: share for name, share in scores.pixel_share.items() if share} == {
        cityscapes.names[0]: pytest.approx(3 / 5),
        cityscapes.names[2]: pytest.approx(2 / 5),
    }
    assert scores.iou[cityscapes.names[0]] == pytest.approx(2 / 3)
    assert scores.iou[cityscapes.names[1]] is None, "predicted, but not there"
    assert scores.miou == pytest.approx((2 / 3 + 1) / 2)
    assert scores.confusion[0][:3] == [2, 1, 0]


def test_a_protocol_without_any_of_its_classes_has_no_mean(cityscapes):
    matrix = ConfusionMatrix(cityscapes)
    matrix.update(torch.tensor([[9]]), torch.tensor([[9]]))  # terrain: in the 19 alone
    assert matrix.scores().mean == {"19": 1.0, "16": None, "13": None}


def test_every_pixel_of_an_image_of_millions_is_counted(cityscapes):
    labels = torch.arange(3 * 2**20 + 5).remainder(19).to(torch.uint8)
    matrix = ConfusionMatrix(cityscapes)
    matrix.update(labels.add(1).remainder(19), labels)
    assert torch.equal(matrix.counts.sum(1), torch.bincount(labels.long(), minlength=19))
    assert torch.equal(matrix.counts, matrix.counts.sum(1).diag().roll(1, 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"pixel_accuracy": 1.01},
        {"pixel_accuracy": -0.01},
        {"pixel_accuracy": "much"},
        {"iou": {"road": 1.01}},
        {"iou": {"road": -0.01}},
        {"iou": {"road": None}},
        {"iou": ["road"]},
        {"mean": {"19": 2}},
        {"pixel_share": {}},
        {"confusion": [[1, 2], [3, 4]]},
        {"confusion": [[1, 2]]},
        {"confusion": [["many"]]},
        {"confusion": 1},
    ],
)
def test_a_file_that_holds_no_scores_is_named(tmp_path, wrong):
    path = tmp_path / "scores.json"
    good = {"iou": {"road": 1}, "mean": {"19": 0}, "pixel_share": {"road": 1}, "pixel_accuracy": 0, "confusion": [[7]]}
    path.write_text(json.dumps(good))
    loaded = Scores.load(path)
    assert loaded == Scores({"road": 1.0}, {"19": 0.0}, {"road": 1.0}, 0.0, [[7]])
    path.write_text(json.dumps(good | wrong))
    with pytest.raises(UserError, match=r"scores\.json does not hold the scores of a run .*pixda evaluate"):
        Scores.load(path)


def test_mean_and_sample_deviation_over_the_runs_that_have_a_number():
    spread = Spread.of([0.2, None, 0.5, 0.8])
    assert (spread.mean, spread.std, spread.count) == (pytest.approx(0.5), pytest.approx(0.3), 3)
    assert Spread.of([0.2, None]) == Spread(0.2, None, 1)
    assert Spread.of([0.2, 0.2]) == Spread(0.2, 0.0, 2)
    assert Spread.of([None]) == Spread.of([]) == Spread(None, None, 0)


@pytest.mark.parametrize(("value", "told"), [(0.4213, "42.1"), (0.0, "0.0"), (1.0, "100.0"), (None, "–")])
def test_a_share_is_told_in_percent_with_one_digit(value, told):
    assert percent(value) == told
