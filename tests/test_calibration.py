"""Pixels by confidence, the calibration error, and the temperature: against loops in float64."""

import json
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric

from pixda.calibration import Calibration, binned, calibration_of, fit_temperature
from pixda.data.classes import ClassSet
from pixda.data.dataset import Sample
from pixda.errors import UserError
from pixda.evaluation import evaluate, likeliest, likeliest_and_confidence, sample_logits
from pixda.metrics import ConfusionMatrix, Scores
from pixda.models import build_segmenter


def literal(confidence, hits):
    """Bin m = 1..15 holds the confidences in ((m - 1) / 15, m / 15]."""
    bins = [([], []) for _ in range(15)]
    for sure, right in zip(confidence.flatten().tolist(), hits.flatten().tolist(), strict=True):
        (m,) = (m for m in range(1, 16) if (m - 1) / 15 < sure <= m / 15)
        bins[m - 1][0].append(sure)
        bins[m - 1][1].append(right)
    return bins


def literal_ece(bins):
    n = sum(len(sure) for sure, _ in bins)
    full = [(sure, right) for sure, right in bins if sure]
    return sum(len(sure) / n * abs(sum(right) / len(right) - sum(sure) / len(sure)) for sure, right in full)


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_bins_and_error_are_the_written_ones():
    confidence = draw(40, 50).clamp_min(0.07)
    hits = draw(40, 50, seed=1) < confidence**2
    bins = literal(confidence, hits)
    found = Calibration.of(binned(confidence, hits))
    assert found.count == [len(sure) for sure, _ in bins]
    assert found.hits == [sum(right) for _, right in bins]
    assert found.confidence == pytest.approx([sum(sure) for sure, _ in bins], abs=1e-3)
    assert found.ece == pytest.approx(literal_ece(bins), abs=1e-6)
    assert found.ece > 0.1


def test_full_confidence_is_in_the_last_bin_and_an_edge_in_the_bin_below_it():
    found = Calibration.of(binned(torch.tensor([1.0, 0.9375, 5 / 15, 0.0], dtype=torch.float64), torch.ones(4) > 0))
    assert [number for number, count in enumerate(found.count) for _ in range(count)] == [0, 4, 14, 14]
    assert found.confidence[14] == 1.9375


def test_sums_do_not_depend_on_the_order_nor_on_the_pieces():
    confidence, hits = draw(700_000).float(), draw(700_000, seed=1) < 0.5
    backwards = binned(confidence.flip(0), hits.flip(0))
    parts = binned(confidence[:1234], hits[:1234]) + binned(confidence[1234:], hits[1234:])
    assert torch.equal(binned(confidence, hits), backwards)
    assert torch.equal(binned(confidence, hits), parts)
    assert backwards[0].sum() == 700_000


@pytest.mark.parametrize("size", [(37, 50), (9, 17), (5, 4), (20, 1)])
def test_confidence_is_the_softmax_of_the_upsampled_logits(size):
    logits = 30 * torch.randn(1, 7, 9, 17, generator=torch.Generator().manual_seed(0))
    raised = F.interpolate(logits.double(), size, mode="bilinear", align_corners=True)[0]
    classes, confidence = likeliest_and_confidence(logits, size)
    assert torch.equal(classes, likeliest(logits, size))
    torch.testing.assert_close(confidence.double(), raised.softmax(0).amax(0), atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def scored():
    torch.manual_seed(0)
    segmenter = build_segmenter("tiny", ClassSet.load("cityscapes-19"))
    generator = torch.Generator().manual_seed(1)
    frames = []
    for _ in range(2):
        mask = torch.randint(0, 19, (48, 64), generator=generator).byte()
        mask[:8] = 255
        image = torch.randint(0, 256, (3, 48, 64), generator=generator).byte()
        frames.append(Sample(image, mask, "", ""))
    return segmenter, frames


def literal_logits(segmenter, frame):
    with torch.no_grad():
        logits = segmenter.eval()(frame.image[None].float())
    return F.interpolate(logits, frame.mask.shape, mode="bilinear", align_corners=True)[0].flatten(1).T


def test_scoring_counts_the_labelled_pixels_of_all_frames_by_confidence(scored):
    segmenter, frames = scored
    found = evaluate(segmenter, frames, None, Fabric(accelerator="cpu")).scores().calibration
    labels = torch.cat([frame.mask.flatten() for frame in frames])
    logits = torch.cat([literal_logits(segmenter, frame) for frame in frames])[labels != 255].double()
    bins = literal(logits.softmax(1).amax(1), logits.argmax(1) == labels[labels != 255])
    assert sum(found.count) == 2 * 40 * 64
    assert found.ece == pytest.approx(literal_ece(bins), abs=1e-4)


def test_logits_are_drawn_at_labelled_pixels_as_they_are_upsampled(scored):
    segmenter, frames = scored
    logits, labels = sample_logits(segmenter, frames, None, Fabric(accelerator="cpu"), 10_000)
    assert (labels != 255).all()
    for number, frame in enumerate(frames):
        here = slice(number * 40 * 64, (number + 1) * 40 * 64)
        there = literal_logits(segmenter, frame)[frame.mask.flatten() != 255]
        torch.testing.assert_close(logits[here].sort(0)[0], there.sort(0)[0], atol=1e-4, rtol=1e-4)
        assert labels[here].bincount().tolist() == frame.mask[frame.mask != 255].long().bincount().tolist()
    few, of_few = sample_logits(segmenter, frames, None, Fabric(accelerator="cpu"), 30)
    assert (few.shape, of_few.shape) == ((60, 19), (60,))
    again, _ = sample_logits(segmenter, frames, None, Fabric(accelerator="cpu"), 30)
    assert torch.equal(few, again)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(40_000, 7, dtype=torch.float64, generator=generator)
    labels = torch.multinomial((logits / temperature).softmax(1), 1, generator=generator)[:, 0]
    found = fit_temperature(logits.float(), labels)
    assert found == pytest.approx(temperature, rel=0.03)

    def loss(t):
        return F.cross_entropy(logits / t, labels).item()

    assert loss(found) < min(loss(found * 1.01), loss(found / 1.01))
    if temperature != 1:
        assert calibration_of(logits, labels, found).ece < calibration_of(logits, labels).ece / 3


def test_a_temperature_stays_within_its_limits():
    logits = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    assert fit_temperature(logits, torch.tensor([0, 1])) == pytest.approx(0.05), "always right"
    assert fit_temperature(logits, torch.tensor([1, 0])) == pytest.approx(20), "always wrong"


def test_the_temperature_is_applied_before_the_softmax():
    found = calibration_of(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), 4.0)
    assert sum(found.confidence) == pytest.approx(math.exp(0.5) / (math.exp(0.5) + 1), abs=1e-6)


def kept(path):
    matrix = ConfusionMatrix(ClassSet.load("cityscapes-19"))
    matrix.update(torch.tensor([[0, 1]]), torch.tensor([[0, 2]]), torch.tensor([[0.9, 0.3]]))
    matrix.scores().save(path, split="val")
    return matrix.scores()


def test_scores_keep_the_bins_in_a_line_each_and_older_files_have_none(tmp_path):
    path = tmp_path / "scores.json"
    scores = kept(path)
    assert Scores.load(path) == scores
    assert f'    "hits": {json.dumps(scores.calibration.hits)}\n' in path.read_text()
    record = json.loads(path.read_text())
    del record["calibration"]
    path.write_text(json.dumps(record))
    assert Scores.load(path) == replace(scores, calibration=None)
    Scores.load(path).save(path)
    assert "calibration" not in json.loads(path.read_text())


@pytest.mark.parametrize(
    "wrong",
    [{"count": [1] * 14}, {"count": [0] * 15}, {"hits": [5] * 15}, {"confidence": ["much"] * 15}, {"hits": None},
     {"confidence": [float("nan")] * 15}],
)  # fmt: skip
def test_bins_that_cannot_be_are_refused(tmp_path, wrong):
    path = tmp_path / "scores.json"
    kept(path)
    record = json.loads(path.read_text())
    record["calibration"] |= wrong
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"scores\.json does not hold the scores of a run"):
        Scores.load(path)
