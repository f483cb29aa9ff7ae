"""Same seed, same machine, same result, however many loader processes there are."""

from pixda.__main__ import main
from runs import words


def test_the_same_seed_gives_the_same_bits_with_any_number_of_loader_workers(root, tmp_path):
    short = ("--recipe.pretrain_steps=4", "--recipe.adaptation_steps=8", "--recipe.distillation.steps=4")
    runs = [tmp_path / f"{workers} workers" for workers in (0, 2)]
    for out in runs:
        assert main(words(root, out, *short, "--recipe.flip=true", f"--machine.workers={out.name[0]}")) == 0
    for name in ("model.safetensors", "scores.json", "logs/adapt.csv", "logs/selection_1.csv"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes(), name
