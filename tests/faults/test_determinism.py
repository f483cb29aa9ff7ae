"""Same seed, same machine, same result, however many loader processes there are."""

import pytest

from pixda.__main__ import main
from runs import two_domains, words

SHORT = ("--recipe.pretrain_steps=4", "--recipe.adaptation_steps=8", "--recipe.distillation.steps=4")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    out = tmp_path_factory.mktemp("runs") / "first"
    assert main(words(root, out, *SHORT, "--recipe.flip=true")) == 0
    return root, out


@pytest.mark.parametrize("workers", [0, 2])
def test_the_same_seed_gives_the_same_bits_with_any_number_of_loader_workers(first, tmp_path, workers):
    root, whole = first
    out = tmp_path / "again"
    assert main(words(root, out, *SHORT, "--recipe.flip=true", f"--machine.workers={workers}")) == 0
    for name in ("model.safetensors", "scores.json", "logs/adapt.csv", "logs/selection_1.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
