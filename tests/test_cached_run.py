"""`pixda train` with a cache of decoded samples: the same model, by whatever way the samples come."""

from pixda.__main__ import main
from runs import start, unlabelled, words


def model(out):
    return (out / "model.safetensors").read_bytes()


def test_a_cached_run_ends_in_the_bits_of_a_plain_one(root, tmp_path, capsys):
    more = ["--recipe.crop=[40,32]", "--size=[48,36]", *unlabelled(root)]
    more += ["--recipe.pretrain_steps=4", "--recipe.adaptation_steps=6", "--recipe.distillation.steps=4"]
    cached = [*more, f"--machine.cache={tmp_path / 'cache'}"]
    assert main(words(root, tmp_path / "plain", *more)) == 0
    capsys.readouterr()
    assert main(words(root, tmp_path / "first", *cached)) == 0
    assert "cache: 10 samples of Folder in" in " ".join(capsys.readouterr().out.split())
    assert main(words(root, tmp_path / "second", *cached, "--machine.workers=1")) == 0
    assert "cache:" not in capsys.readouterr().out, "all is there"
    assert model(tmp_path / "first") == model(tmp_path / "second") == model(tmp_path / "plain")


def test_two_runs_at_once_share_a_cache(root, tmp_path):
    cached = ["--recipe.more_steps=2", f"--machine.cache={tmp_path / 'cache'}"]
    outs = [tmp_path / "one", tmp_path / "two"]
    runs = [start(root, out, *cached, method="source_only") for out in outs]
    told = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert model(outs[0]) == model(outs[1])
    sizes = sorted(path.stat().st_size for path in (tmp_path / "cache").glob("*/samples.uint8"))
    assert sizes == [4 * 64 * 48 * 2, 4 * 64 * 48 * 10], "two shots and ten source frames, each once"
