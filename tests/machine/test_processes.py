"""Whole runs in several processes: their files, their stops, and going on with another number of them."""

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pixda.__main__ import main
from ranks import environment, free_port
from runs import assert_same_scores, start, two_domains, unlabelled, wait_for, words

SECONDS = 240  # for a process to end: it has as many to itself as the machine is slow


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return two_domains(tmp_path_factory.mktemp("domains"))


@pytest.fixture(scope="module")
def alone(root, tmp_path_factory):
    """The run of one process, in batches of four."""
    out = tmp_path_factory.mktemp("runs") / "alone"
    assert main(words(root, out, "--recipe.batch=4")) == 0
    return out


@pytest.fixture(scope="module")
def of_two(root, tmp_path_factory):
    """The same in two processes, and what it said."""
    out = tmp_path_factory.mktemp("runs") / "two"
    return out, finished(root, out, "--recipe.batch=4", "--machine.devices=2")


def said_by(process):
    text, _ = process.communicate(timeout=SECONDS)
    return text


def finished(root, out, *more, method="pixda"):
    """What a run says that comes to its end, or goes on to it."""
    process = start(root, out, *more, method=method)
    text = said_by(process)
    assert process.returncode == 0, text
    return text


def weights_of(out):
    return (out / "model.safetensors").read_bytes()


def assert_the_same_run(out, alone):
    """Weights that rounding cannot tell apart, and the same choices on the way."""
    expected = load_file(alone / "model.safetensors")
    for name, weights in load_file(out / "model.safetensors").items():
        torch.testing.assert_close(weights, expected[name], rtol=1e-4, atol=1e-5)
    made, other = (json.loads((folder / "model.json").read_text())["made"] for folder in (out, alone))
    assert made["selections"] == other["selections"]
    assert made["steps"] == other["steps"]
    for log in ("pretrain", "adapt", "distil"):
        mine, theirs = (list(csv.DictReader((folder / f"logs/{log}.csv").open())) for folder in (out, alone))
        assert [row["step"] for row in mine] == sorted({row["step"] for row in mine}, key=int), "each row once"
        assert {row["step"] for row in theirs} <= {row["step"] for row in mine}


def test_a_run_of_two_processes_is_the_run_of_one(alone, of_two):
    out, text = of_two
    assert_the_same_run(out, alone)
    assert_same_scores(out / "scores.json", alone / "scores.json")
    made = json.loads((out / "model.json").read_text())["made"]
    assert made["machine"]["processes"] == 2
    assert text.count("2 processes, 2 of 4 images of a batch each; batch normalisation takes the statistics of") == 1
    assert text.count("scoring 3/3") == text.count("pixel accuracy") == 1, "one of them speaks"
    assert "Warning" not in text
    assert "Initializing" not in text


@pytest.mark.slow
def test_a_batch_that_cannot_be_divided_is_refused_once_before_anything_is_written(root, tmp_path):
    process = start(root, tmp_path / "run", "--recipe.batch=3", "--machine.devices=2")
    text = said_by(process)
    assert process.returncode == 1
    assert text.count("pixda:") == 1
    assert "A batch of 3 cannot be divided evenly among 2 processes: set --recipe.batch to 4" in text
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_folds_in_two_processes(root, tmp_path):
    given = words(root, tmp_path / "folds", "--folds=2", "--machine.devices=2", method="fine_tuning")[1:]
    done = subprocess.run(
        [sys.executable, "-m", "pixda", "validate", *given],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the test split was not opened") == 1
    result = json.loads((tmp_path / "folds/validation.json").read_text())
    assert result["mean"]["19"]["count"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("statistics", ["synchronised", "own"])
def test_batch_statistics_by_option(root, tmp_path, statistics):
    network = [
        "--network.architecture=mobile_deeplab",
        "--network.options={frozen_blocks: 0, frozen_statistics: false}",
    ]
    more = [*network, "--recipe.pretrain_steps=3", "--recipe.joint_steps=3", f"--machine.batch_statistics={statistics}"]
    text = finished(root, tmp_path / "run", *more, "--machine.devices=2", method="joint")
    assert f"statistics of {'the whole batch' if statistics == 'synchronised' else 'each process'}" in text
    assert main(["evaluate", f"--model={tmp_path / 'run'}", f"--data.root={root}/target", "--data.dataset=folder",
                 "--data.scheme=cityscapes", "--data.split=val"]) == 0  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["fine_tuning", "joint", "naae", "adaptsegnet", "advent", "fsda", "fda", "self_training"]
)
def test_every_method_in_two_processes(root, tmp_path, method):
    more = unlabelled(root) if method == "self_training" else []
    assert main(words(root, tmp_path / "one", *more, method=method)) == 0
    finished(root, tmp_path / "two", "--machine.devices=2", *more, method=method)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_what_is_missing_on_one_host_is_named_by_its_process(root, tmp_path):
    """Two hosts with folders of their own: the second one has no masks."""
    shutil.copytree(root, tmp_path / "1" / "data")
    shutil.copytree(root, tmp_path / "0" / "data")
    shutil.rmtree(tmp_path / "1" / "data/source/masks")
    port, running = free_port(), []
    for rank in (0, 1):
        given = words(Path("data"), Path("run"), "--recipe.batch=4")
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", "pixda", *given],
                env=os.environ
                | environment(rank, 2, port)
                | {"LOCAL_WORLD_SIZE": "1", "LOCAL_RANK": "0", "GROUP_RANK": str(rank)},
                cwd=tmp_path / str(rank),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    texts = [said_by(process) for process in running]
    assert [process.returncode for process in running] == [1, 1], texts
    assert "Process 2 of 2, on " in texts[1]
    assert "data/source" in texts[1]
    assert "Process 1 of 2 has lost another one" in texts[0]


# ---- ends, and going on


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_until_gone(pids):
    limit = time.monotonic() + SECONDS
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < limit, "a process has outlived the run"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phase", "which", "then"), [("adapt", "the first", 4), ("distil", "another", 1), ("pretrain", "another", 2)]
)
def test_a_process_that_is_killed_ends_all_and_any_number_goes_on(root, alone, of_two, tmp_path, phase, which, then):
    out = tmp_path / "run"
    process = start(root, out, "--recipe.batch=4", "--machine.devices=2")
    wait_for(process, out / f"logs/{phase}.csv", 4)
    others = children(process)
    assert len(others) == 1
    os.kill(process.pid if which == "the first" else others[0], signal.SIGKILL)
    text = said_by(process)
    wait_until_gone(others)
    assert "has lost another one" in text
    assert "--resume true goes on from the last checkpoint" in text
    assert "Traceback" not in text
    assert not (out / "model.safetensors").exists(), "the run was over before it could be killed"
    finished(root, out, "--recipe.batch=4", f"--machine.devices={then}")
    assert_the_same_run(out, alone)
    if then == 2:
        assert weights_of(out) == weights_of(of_two[0]), "to the last bit"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phase", "step", "which", "how"),
    [
        ("pretrain", 10, "the first", signal.SIGTERM),
        ("pretrain", 20, "another", signal.SIGTERM),  # its last step: selection comes next
        ("adapt", 4, "all", signal.SIGTERM),  # its last step, too
        ("pretrain", 10, "all", signal.SIGINT),
    ],
)
def test_any_process_is_asked_to_stop_and_all_do_after_one_step(root, of_two, tmp_path, phase, step, which, how):
    out = tmp_path / "run"
    more = ("--recipe.batch=4", "--machine.devices=2", "--checkpoint_every=1000")
    process = start(root, out, *more)
    wait_for(process, out / f"logs/{phase}.csv", step)
    others = children(process)
    asked = {"the first": [process.pid], "another": others, "all": [process.pid, *others]}[which]
    for pid in asked:
        os.kill(pid, how)
    text = said_by(process)
    wait_until_gone(others)
    assert process.returncode == 1, text
    said = re.findall(rf"Stopped by {how.name}, and saved at step (\d+) of phase \w+", text)
    position = torch.load(out / "checkpoint.pt", weights_only=True)["position"]
    assert said == [str(position["step"])], text
    assert "lost" not in text
    finished(root, out, *more)
    assert weights_of(out) == weights_of(of_two[0]), "to the last bit"


@pytest.mark.slow
def test_what_processes_cannot_read_counts_together(tmp_path):
    """Two files break, and whichever process meets them: one may be skipped, or two."""
    root, out = two_domains(tmp_path), tmp_path / "run"
    more = ("--recipe.batch=4", "--machine.devices=2")
    process = start(root, out, *more, "--skip_unreadable=1")
    wait_for(process, out / "logs/pretrain.csv", 4)
    for bad in ("source/images/004.png", "source/masks/007.png"):
        (root / bad).write_bytes((root / bad).read_bytes()[:60])
    text = said_by(process)
    assert process.returncode == 1, text
    assert "It is one more than the 1 that may be skipped (--skip_unreadable)." in text
    assert "--resume true goes on from it" in text
    text = finished(root, out, *more, "--skip_unreadable=2")
    assert "skipped, 2 of at most 2: " in text
    skipped = json.loads((out / "model.json").read_text())["made"]["skipped"]["files"]
    assert sorted(name for said in skipped for name in ("004.png", "007.png") if name in said) == ["004.png", "007.png"]


# ---- begun by others


@pytest.mark.slow
def test_tasks_of_slurm_are_the_processes(root, alone, tmp_path):
    """With the variables that srun sets, on a machine without Slurm."""
    job = {"JOB_ID": "71", "JOB_NAME": "train", "NTASKS": "2", "NTASKS_PER_NODE": "2", "NNODES": "1", "NODEID": "0"}
    job = {f"SLURM_{name}": value for name, value in job.items()}
    job |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    command = [sys.executable, "-m", "pixda", *words(root, tmp_path / "run", "--recipe.batch=4")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    tasks = [
        subprocess.Popen(command, env=os.environ | job | {"SLURM_PROCID": task, "SLURM_LOCALID": task}, **pipes)
        for task in ("0", "1")
    ]
    texts = [said_by(task) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], texts
    assert "2 processes, 2 of 4 images of a batch each" in texts[0]
    assert texts[1] == ""
    assert_the_same_run(tmp_path / "run", alone)


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True)


@pytest.fixture
def hosts():
    """Two network namespaces joined by a cable: name, address and network card of each."""
    names = [f"pixda-{os.getpid()}-{side}" for side in "ab"]
    cards = [f"px{os.getpid()}{side}" for side in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", cards[0], "netns", names[0], "type", "veth", "peer", cards[1], "netns", names[1])
        for name, card, address in zip(names, cards, ("10.77.0.1", "10.77.0.2"), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", card)
            ip("-n", name, "link", "set", card, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield list(zip(names, ("10.77.0.1", "10.77.0.2"), cards, strict=True))
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces here (they need root and iproute2): {getattr(error, 'stderr', error)}")
    finally:
        for name in names:
            with contextlib.suppress(FileNotFoundError, subprocess.CalledProcessError):
                ip("netns", "delete", name)


@pytest.mark.slow
def test_two_hosts_of_two_processes_under_torchrun_are_one_run(root, alone, tmp_path, hosts):
    out, port, running = tmp_path / "run", free_port(), []
    for number, (name, _, card) in enumerate(hosts):
        together = ["--nnodes=2", "--nproc-per-node=2", f"--node-rank={number}", f"--master-addr={hosts[0][1]}"]
        command = ["ip", "netns", "exec", name, sys.executable, "-m", "torch.distributed.run", *together,
                   f"--master-port={port}", "-m", "pixda", *words(root, out, "--recipe.batch=4")]  # fmt: skip
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": card}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        running.append(subprocess.Popen(command, env=environment, **pipes))
    texts = [said_by(process) for process in running]
    assert [process.returncode for process in running] == [0, 0], texts
    assert "4 processes, 1 of 4 images of a batch each" in texts[0]
    assert "pretrain" not in texts[1], "the first process, on the first host, speaks for all"
    assert_the_same_run(out, alone)
