"""Commands write where they were told to, and nowhere else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import confined
from runs import two_domains, words

pytestmark = pytest.mark.skipif(not confined.available(), reason="needs a Linux kernel with Landlock")


CACHES = {".cache/matplotlib", ".config/matplotlib", "tmp/torchinductor_"}
"""What libraries keep in the home folder (matplotlib: the list of fonts) and in TMPDIR (torch: an empty folder)."""


def confined_commands(folder: Path, home: Path, commands: list[list[str]]) -> subprocess.CompletedProcess[str]:
    """Run commands that may write in one folder and in a home of their own, TMPDIR within; nowhere else."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "MPLCONFIGDIR"))}
    (home / "tmp").mkdir(parents=True)
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(confined.__file__)), str(folder), str(home)],
        input="".join(json.dumps(command) + "\n" for command in commands),
        env=environment | {"HOME": str(home), "TMPDIR": str(home / "tmp")},
        cwd=home.parent,
        text=True,
        capture_output=True,
        check=False,
    )


def kept_in(home: Path) -> set[str]:
    """Files and empty folders in the home folder that are not known caches."""
    ends = [path for path in home.rglob("*") if not path.is_dir() or not any(path.iterdir())]
    names = {str(path.relative_to(home)) for path in ends} - {"tmp"}
    return {name for name in names if not name.startswith(tuple(CACHES))}


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(folder.rglob("*"))}


def test_the_confinement_holds(tmp_path: Path) -> None:
    data, home, out = two_domains(tmp_path / "data"), tmp_path / "home", tmp_path / "runs"
    out.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shots = ["shots", "--data.dataset=folder", f"--data.root={data / 'target'}", "--data.scheme=cityscapes"]
    shots += ["--data.split=train", "--per_city=1", "--out", str(elsewhere / "list.json")]
    done = confined_commands(out, home, [shots])
    assert done.returncode != 0
    assert "ermission denied" in done.stderr
    assert not list(elsewhere.iterdir())


def test_commands_write_in_the_folder_of_the_run_and_nowhere_else(tmp_path: Path) -> None:
    data, home, out = two_domains(tmp_path / "data"), tmp_path / "home", tmp_path / "runs"
    out.mkdir()
    before = everything(data)
    target = ["--data.dataset=folder", f"--data.root={data / 'target'}", "--data.scheme=cityscapes"]
    model = ["--model", str(out / "run")]
    commands = [
        words(data, out / "run", "--recipe.more_steps=0", method="source_only"),
        ["evaluate", *model, *target, "--data.split=val", "--out", str(out / "run/again.json")],
        ["predict", *model, "--inputs", str(data / "more/images"), "--out", str(out / "predicted")],
        ["export", *model, "--out", str(out / "exported/model.onnx")],
        ["shots", *target, "--data.split=train", "--per_city=1", "--out", str(out / "shots/list.json")],
        ["check", *target, "--data.split=train", "--runs", str(out)],
        ["suggest", *model, "--images", str(data / "more"), "--count=2", "--out", str(out / "suggested")],
    ]
    done = confined_commands(out, home, commands)
    assert done.returncode == 0, done.stderr
    assert everything(data) == before, "data is read, never written"
    assert kept_in(home) == set()
    made = {path.name for path in out.iterdir()}
    assert made == {"run", "predicted", "exported", "shots", "suggested", ".checks"}
    run = {path.name for path in (out / "run").iterdir()}
    assert run >= {"config.yaml", "model.safetensors", "scores.json", "again.json"}


@pytest.mark.slow  # five processes, one after the other
def test_a_comparison_writes_in_its_folder_and_nowhere_else(tmp_path: Path) -> None:
    data, home, out = two_domains(tmp_path / "data"), tmp_path / "home", tmp_path / "table"
    out.mkdir()
    folder = {"dataset": "folder", "scheme": "cityscapes"}
    grid = {
        "title": "t",
        "experiment": {
            "source": {**folder, "root": str(data / "source"), "split": "all"},
            "target": {**folder, "root": str(data / "target")},
            "size": [64, 48],
            "network": {"architecture": "tiny"},
            "machine": {"accelerator": "cpu", "threads": 1, "workers": 0},
        },
        "rows": {
            "source only": {"method": "source_only", "recipe": {"more_steps": 0}},
        },
        "seeds": [0],
        "preset": "small",
        "recipe": {"crop": [48, 32], "batch": 2, "pretrain_steps": 4, "tuning_steps": 4},
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid))
    before = everything(data)
    done = confined_commands(out, home, [["compare", str(tmp_path / "grid.yaml"), "--out", str(out)]])
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    assert everything(data) == before
    assert kept_in(home) == set()
    assert (out / "curve.png").is_file()
