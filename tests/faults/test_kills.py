"""kill -9 at any moment: the run goes on from its last checkpoint and ends in the unbroken run's bits."""

import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from injuries import killed_at, steps_logged
from pixda.__main__ import main
from runs import start, two_domains, words

# Adaptation that is thinned out again and again, to the same eight images.
SELECTING = ("--recipe.selection.rule=top", "--recipe.selection.top=8")
SHORT = (*SELECTING, "--recipe.pretrain_steps=6", "--recipe.adaptation_steps=9", "--recipe.distillation.steps=6")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    root = two_domains(tmp_path_factory.mktemp("domains"))
    out = tmp_path_factory.mktemp("runs") / "unbroken"
    assert main(words(root, out, *SHORT)) == 0
    return root, out


@pytest.mark.parametrize(
    "places",
    [
        # Some images are scored, others are not.
        pytest.param({"SourceSelector._scored": 9}, id="in-selection"),
        # torch is writing the archive.
        pytest.param({"_save": 30}, id="in-checkpoint-writing"),
        # The third checkpoint is written and has not taken the place of the second.
        pytest.param({"save_checkpoint": 18}, id="before-the-checkpoint-is-in-place", marks=pytest.mark.slow),
    ],
)
def test_killed_where_it_hurts_the_run_ends_in_the_same_bits(unbroken, tmp_path, places):
    root, whole = unbroken
    out = tmp_path / "broken"
    killed_at(places, tmp_path / "where", words(root, out, "--resume=true", *SHORT))
    assert (tmp_path / "where").read_text().split() == list(places)
    assert (out / ".unfinished-checkpoint.pt").exists() == ("SourceSelector._scored" not in places)
    assert not (out / "model.safetensors").exists()
    assert main(words(root, out, "--resume=true", *SHORT)) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert json.loads((out / "scores.json").read_text()) == json.loads((whole / "scores.json").read_text())


@pytest.mark.slow
def test_fifty_kills_at_random_moments_end_in_the_same_bits(tmp_path):
    """Half of them from outside at any time, half at a random line of what is delicate; their places: with -s."""
    root = two_domains(tmp_path)
    more = (
        *SELECTING,
        "--recipe.pretrain_steps=12",
        "--recipe.adaptation_steps=24",
        "--recipe.distillation.steps=100",
        "--checkpoint_every=1",
    )
    whole, out, where = tmp_path / "whole", tmp_path / "broken", tmp_path / "where"
    assert main(words(root, whole, *more)) == 0
    more = (*more, f"--machine.cache={tmp_path / 'cache'}")
    command = words(root, out, "--resume=true", *more)
    moments = random.Random(0)
    killed: Counter[tuple[str, str]] = Counter()
    for number in range(50):
        before = logged(out)
        if number < 6:  # one in three while what was cached is made to count
            function, lines = moments.choice([("Cache.add", 80), ("Cache.add", 80), ("Cache._commit", 5)])
            killed_at({function: moments.randint(1, lines), "Supervised.step": 1}, where, command)
        elif number % 8 in (1, 3, 5) and reached(before) == "adapt":  # in the next selection, or past the last
            killed_at({"SourceSelector._scored": moments.randint(1, 20), "Distillation.step": 1}, where, command)
        elif number % 2:
            steps = ["Supervised.step", "Adversarial.step", "Distillation.step"]
            place = moments.choice([*steps, "_save", "Run._write", "Logs.rewind", "Run._fetched"])
            # At the latest when a few checkpoints are written: a line of it is one of about ten.
            latest = {"save_checkpoint": moments.randint(1, 30)}
            killed_at({place: moments.randint(1, 40), **latest}, where, command)
        else:
            process = start(root, out, *more)
            rows, over = moments.randint(1, 4), time.monotonic() + moments.uniform(0, 30)
            while process.poll() is None and time.monotonic() < over:
                if sum(logged(out).values()) >= sum(before.values()) + rows:
                    break
            process.kill()
            process.communicate()
            with where.open("a") as file:
                file.write("any\n")
        killed[reached(logged(out)), where.read_text().split()[-1]] += 1
        assert not (out / "model.safetensors").exists(), f"the run was over before kill {number + 1}"
    places, phases = Counter[str](), Counter[str]()
    for (phase, place), count in killed.items():
        phases[phase] += count
        places[place] += count
    print(f"\nkilled {killed.total()} times: {dict(phases)}, at {dict(places)}")
    assert killed.total() == 50
    assert all(phases[name] >= 6 for name in ("pretrain", "adapt", "distil"))
    assert places["any"] >= 20
    assert places["Cache.add"] + places["Cache._commit"] >= 5
    assert places["SourceSelector._scored"] >= 3
    assert places["_save"] + places["save_checkpoint"] >= 8
    assert main(command) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    for log in ("pretrain", "adapt", "distil"):
        assert steps_logged(out / f"logs/{log}.csv") == steps_logged(whole / f"logs/{log}.csv")


def logged(out: Path) -> dict[str, int]:
    """Phase -> rows in its log."""
    return {name: len(steps_logged(out / f"logs/{name}.csv")) for name in ("pretrain", "adapt", "distil")}


def reached(rows: dict[str, int]) -> str:
    """The last phase that has any."""
    return [name for name, count in rows.items() if count or name == "pretrain"][-1]
