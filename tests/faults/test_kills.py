"""kill -9 at any moment: the run goes on from its last checkpoint and ends in the unbroken run's bits."""

import json
import random
import time
from collections import Counter

import pytest
from injuries import killed_at, steps_logged
from runs import start, two_domains, words

from pixda.__main__ import main

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
        pytest.param({"Judging._scored": 9}, id="in-selection"),
        # torch is writing the archive.
        pytest.param({"_save": 30}, id="in-checkpoint-writing"),
        # The third checkpoint is written and has not taken the place of the second.
        pytest.param({"save_checkpoint": 23}, id="before-the-checkpoint-is-in-place", marks=pytest.mark.slow),
    ],
)
def test_killed_where_it_hurts_the_run_ends_in_the_same_bits(unbroken, tmp_path, places):
    root, whole = unbroken
    out = tmp_path / "broken"
    killed_at(places, tmp_path / "where", words(root, out, "--resume=true", *SHORT))
    assert (tmp_path / "where").read_text().split() == list(places)
    assert (out / "checkpoint.tmp").exists() == ("Judging._scored" not in places)
    assert not (out / "model.safetensors").exists()
    assert main(words(root, out, "--resume=true", *SHORT)) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert json.loads((out / "scores.json").read_text()) == json.loads((whole / "scores.json").read_text())


@pytest.mark.slow
def test_fifty_kills_at_random_moments_end_in_the_same_bits(tmp_path):
    """Half of them from outside at any time, half at a random line of what is delicate; in every phase."""
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
    moments = random.Random(0)
    phases: Counter[str] = Counter()
    command = words(root, out, "--resume=true", *more)
    for number in range(50):
        logged = {name: len(steps_logged(out / f"logs/{name}.csv")) for name in ("pretrain", "adapt", "distil")}
        phase = [name for name, rows in logged.items() if rows or name == "pretrain"][-1]
        phases[phase] += 1
        if number % 4 == 1 and phase == "adapt":  # in the next selection, or right after the last one's phase
            killed_at({"Judging._scored": moments.randint(1, 20), "Distillation.step": 1}, where, command)
        elif number % 2:
            places = [
                "Supervised.step",
                "Adversarial.step",
                "Distillation.step",
                "_save",
                "Logs.rewind",
                "Run._fetched",
            ]
            # At the latest when a few checkpoints are written: a line of it is one of about ten.
            latest = {"save_checkpoint": moments.randint(1, 30)}
            killed_at({moments.choice(places): moments.randint(1, 40), **latest}, where, command)
        else:
            process = start(root, out, *more)
            rows, over = moments.randint(1, 4), time.monotonic() + moments.uniform(0, 30)
            while process.poll() is None and time.monotonic() < over:
                now = sum(len(steps_logged(out / f"logs/{name}.csv")) for name in logged)
                if now >= sum(logged.values()) + rows:
                    break
            process.kill()
            process.communicate()
        assert not (out / "model.safetensors").exists(), f"the run was over before kill {number + 1}"
    assert len(phases) == 3, f"not every phase was hit: {phases}"
    hit = Counter(where.read_text().split())
    assert {"Judging._scored", "_save", "save_checkpoint"} <= hit.keys(), f"{hit}"
    assert main(command) == 0
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    for log in ("pretrain", "adapt", "distil"):
        assert steps_logged(out / f"logs/{log}.csv") == steps_logged(whole / f"logs/{log}.csv")
