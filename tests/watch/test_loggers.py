"""TensorBoard, Weights & Biases and MLflow, each with its real package: what a run tells them, and that it is once."""

import csv
import importlib.util
import signal
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pixda.__main__ import main
from pixda.watch.logs import Logs
from runs import start, two_domains, wait_for, words

needs_mlflow = pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="needs pixda[mlflow]")
needs_wandb = pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="needs pixda[wandb]")


@pytest.fixture
def stores(tmp_path, monkeypatch):
    """Both packages keep what they are told below `tmp_path`, and call nobody."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(out, phase, column):
    """Step -> value, as the run's own file has it."""
    return {int(row["step"]): float(row[column]) for row in csv.DictReader((out / f"logs/{phase}.csv").open())}


def of_tensorboard(out, tag):
    board = EventAccumulator(str(out / "logs/tensorboard"))
    board.Reload()
    return [(event.step, event.value) for event in board.Scalars(tag)]


def of_wandb(out):
    """All rows of all parts of the one run, in the order in which they would be uploaded."""
    from wandb.proto.wandb_internal_pb2 import Record

    parts = sorted((out / "logs/wandb").glob("offline-run-*/*.wandb"))
    assert len({part.name for part in parts}) == 1, "the parts are of one run"
    rows = []
    for part in parts:
        for data in records(part.read_bytes()):
            record = Record.FromString(data)
            if record.HasField("history"):
                row = {item.key or ".".join(item.nested_key): item.value_json for item in record.history.item}
                rows.append((record.history.step.num, row))
    return parts, rows


def records(data, block=32768):
    """The payloads of a LevelDB log, in which Weights & Biases keeps a run: 7 bytes of a head, then the data."""
    place, begun = 7, b""
    while place + 7 <= len(data):
        room = block - place % block
        if room < 7:
            place += room
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        begun += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield begun
            begun = b""


def of_mlflow(name):
    """The one run of an experiment."""
    import mlflow

    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    return client, run


def stopped_and_resumed(stores, loggers, number):
    """A run that is sent a signal while it adapts, and goes on to its end."""
    root, out = two_domains(stores / "data"), stores / "broken"
    process = start(root, out, loggers)
    wait_for(process, out / "logs/adapt.csv", 4)
    process.send_signal(number)
    process.wait()
    assert not (out / "model.safetensors").exists(), "the run was over before it could be stopped"
    assert main(words(root, out, loggers, "--resume=true")) == 0
    assert main(words(root, stores / "whole", "--watch.loggers=[]")) == 0
    weights = [(folder / "model.safetensors").read_bytes() for folder in (stores / "whole", out)]
    assert weights[0] == weights[1], "loggers changed what was computed"
    assert not (stores / "whole/logs/tensorboard").exists()
    return out


def told_once(out, phase, told, missing=0):
    """Each step of a phase, with its learning rate, as in the run's own file."""
    own = written(out, phase, "lr")
    steps = [step for step, _ in told]
    assert len(steps) == len(set(steps)), f"a step of {phase} was told twice"
    assert len(own) - missing <= len(steps) <= len(own), f"a step of {phase} was not told"
    assert dict(told) == pytest.approx({step: own[step] for step in steps}, rel=1e-4)


@needs_mlflow
@needs_wandb
def test_a_run_that_was_stopped_goes_on_in_the_same_runs_and_tells_all_once(stores):
    out = stopped_and_resumed(stores, "--watch.loggers=[tensorboard,wandb,mlflow]", signal.SIGTERM)
    client, run = of_mlflow("pixda")
    assert run.info.status == "FINISHED"
    assert run.data.params["recipe.distillation.steps"] == "12"
    parts, rows = of_wandb(out)
    assert len(parts) == 2
    totals = [total for total, _ in rows]
    assert totals == sorted(set(totals)), "Weights & Biases drops what goes back"
    for phase in ("pretrain", "adapt", "distil"):
        rate = f"{phase}/lr"
        told_once(out, phase, of_tensorboard(out, rate))
        told_once(out, phase, [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, rate)])
        told_once(out, phase, [(int(row[f"{phase}/step"]), float(row[rate])) for _, row in rows if rate in row])
    scored = run.data.metrics["scores/mean of 19"]
    assert 0 < scored <= 100
    assert [float(row["scores/mean of 19"]) for _, row in rows if "scores/mean of 19" in row] == [pytest.approx(scored)]
    kept = client.get_metric_history(run.info.run_id, "selection/kept")
    assert [(one.step, one.value) for one in kept] == [(1, 6), (2, 0)]


@needs_mlflow
@pytest.mark.slow
def test_a_run_that_was_killed_tells_no_step_twice(stores):
    out = stopped_and_resumed(stores, "--watch.loggers=[tensorboard,mlflow]", signal.SIGKILL)
    client, run = of_mlflow("pixda")
    for phase in ("pretrain", "adapt", "distil"):
        rate = f"{phase}/lr"
        missing = int(phase == "adapt")  # killed between its own file and the loggers, it leaves out one row
        told_once(out, phase, of_tensorboard(out, rate), missing)
        history = client.get_metric_history(run.info.run_id, rate)
        told_once(out, phase, [(one.step, one.value) for one in history], missing)


@pytest.mark.parametrize(("name", "title"), [("wandb", "Weights & Biases"), ("mlflow", "MLflow")])
def test_a_package_that_is_missing_is_named_with_its_extra_before_anything_is_read(
    tmp_path, monkeypatch, capsys, name, title
):
    monkeypatch.setitem(sys.modules, name, None)  # as Python has it where a package is not installed
    nowhere = words(tmp_path / "no data", tmp_path / "run", f"--watch.loggers=[tensorboard,{name}]")
    assert main(nowhere) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"pixda: {title} is not installed: pip install 'pixda[{name}]'")
    assert len(message.strip().splitlines()) == 1


@needs_mlflow
def test_a_logger_that_fails_is_left_and_the_others_are_told(stores):
    import mlflow

    said = []
    with Logs(stores / "run/logs", ["mlflow", "tensorboard"], "run", {}, said.append, resume=False) as logs:
        logs.losses("pretrain", 0, 1, 1, {"source": 0.5})
        mlflow.MlflowClient().delete_run((stores / "run/logs/mlflow_run.txt").read_text().strip())
        logs.losses("pretrain", 0, 2, 2, {"source": 0.25})
        logs.losses("pretrain", 0, 3, 3, {"source": 0.125})
    assert [line.split(" (")[0] for line in said[1:]] == ["mlflow fails and is told nothing more"]
    assert of_tensorboard(stores / "run", "pretrain/source") == [(1, 0.5), (2, 0.25), (3, 0.125)]


@needs_mlflow
def test_a_logger_that_cannot_begin_is_one_sentence(stores, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{stores / 'no folder' / 'here' / 'mlflow.db'}")
    (stores / "no folder").write_text("a file")
    assert main(words(two_domains(stores / "data"), stores / "run", "--watch.loggers=[mlflow]")) == 1
    message = capsys.readouterr().err.strip().splitlines()
    assert "MLflow cannot begin" in message[-1]
    assert "--watch.loggers" in message[-1]
