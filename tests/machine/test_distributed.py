"""Several processes against one: the same gradients, the same selection, the same files."""

import pytest
import torch
from lightning_fabric import Fabric

from ranks import first_steps, in_processes, normalised, passes_of_backbones, steps_and_statistics
from runs import junk, two_domains


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    junk(root)
    return root


@pytest.fixture(scope="module")
def fabric():
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture(scope="module")
def alone(root, fabric):
    return first_steps(fabric, root)


@pytest.fixture(scope="module")
def of_two(root, tmp_path_factory):
    return in_processes(2, steps_and_statistics, tmp_path_factory.mktemp("two"), root)


def difference(found, expected):
    """The largest, beside the largest value."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-8))


def assert_the_steps_of_one(of_all, alone):
    for name, one in alone.items():
        parts = [found[name] for found in of_all]
        largest = {}  # of each network: where a discriminator's two terms cancel, in a bias, what is left is rounding
        for key, gradient in one["gradients"].items():
            network = key.split(".")[0]
            largest[network] = max(largest.get(network, 0.0), float(gradient.abs().max()))
        for part in parts:
            assert set(part["gradients"]) == set(one["gradients"])
            for key, gradient in one["gradients"].items():
                apart = float((part["gradients"][key] - gradient).abs().max())
                assert apart < 2e-3 * largest[key.split(".")[0]], (name, key, apart)
            assert max(difference(part["running"][key], value) for key, value in one["running"].items()) < 1e-4
        assert [set(part["losses"]) for part in parts] == [set(one["losses"])] * len(parts), name
        for key, loss in one["losses"].items():
            together = torch.stack([part["losses"][key] for part in parts]).mean()
            assert together.item() == pytest.approx(loss.item(), rel=1e-4), (name, key)


def test_two_processes_descend_the_gradients_of_one(of_two, alone):
    """Every phase, on batches whose halves have unequal numbers of labelled pixels and unequal parts of each source."""
    assert_the_steps_of_one([found["steps"] for found in of_two], alone)


def test_each_process_may_normalise_by_its_own_images(of_two, alone):
    own = [found["own"] for found in of_two]
    for key, gradient in own[0]["gradients"].items():
        assert torch.equal(gradient, own[1]["gradients"][key]), "they learn one network all the same"
    apart = [difference(gradient, alone["joint"]["gradients"][key]) for key, gradient in own[0]["gradients"].items()]
    assert max(apart) > 1e-2, "each with statistics of its own images"
    for key, statistic in own[0]["running"].items():
        assert torch.equal(statistic, own[1]["running"][key]), "the running ones are the mean of all"
        assert difference(statistic, alone["joint"]["running"][key]) < 0.2


@pytest.mark.parametrize("name", ["resnet", "mobilenet"])
def test_backbones_of_two_processes_count_one_batch_once_as_one_does(of_two, fabric, name):
    """ResNet computes some norms twice, MobileNet goes around those that are frozen."""
    expected = passes_of_backbones(fabric)[name]
    counted = [int(value) for key, value in expected.items() if key.endswith("num_batches_tracked")]
    assert counted
    assert set(counted) == {1}
    for found in of_two:
        assert set(found["backbones"][name]) == set(expected)
        for key, value in expected.items():
            torch.testing.assert_close(found["backbones"][name][key], value, rtol=1e-8, atol=1e-8)


def test_ctrl_c_that_reaches_one_process_after_another_is_one(of_two):
    """The second one in a process stops it at once, without saving; the first one does not, told of another or not."""
    assert [found["stop"] for found in of_two] == [("SIGINT", 2), ("SIGINT", 2)]


@pytest.mark.slow
def test_four_processes_descend_the_gradients_of_one(root, alone, tmp_path):
    """One image each; one of them has no labelled pixel, and some have no image of a source."""
    assert_the_steps_of_one(in_processes(4, first_steps, tmp_path, root), alone)


@pytest.mark.slow
def test_synchronised_batch_normalisation_is_that_of_the_whole_batch(fabric, tmp_path):
    generator = torch.Generator().manual_seed(0)
    images, slopes = torch.randn(2, 4, 3, 5, 7, generator=generator, dtype=torch.float64)
    expected = normalised(fabric, images + 3, slopes)
    for rank, found in enumerate(in_processes(2, normalised, tmp_path, images + 3, slopes)):
        for key, value in expected.items():
            mine = value[rank::2] if key in ("made", "slope") else value
            torch.testing.assert_close(found[key], mine, rtol=1e-12, atol=1e-12)
