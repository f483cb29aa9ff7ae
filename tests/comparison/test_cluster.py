"""`pixda compare --ray` on a real Ray cluster of two nodes on this machine, one of which dies."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comparison.grids import models, small_grid, wait_until, write_grid
from pixda.__main__ import main
from pixda.comparison.on_node import NodeSettings, fault, run
from pixda.provenance import code_hash
from runs import two_domains

PATIENCE = 600  # seconds, for a machine that does other things
ROOM = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}


class TwoNodes:
    """A head, on which comparisons are started, and a node beside it that can be lost and added again."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args=ROOM | {"include_dashboard": False})
        self.other = None
        self.both()

    @property
    def address(self):
        return self.cluster.address

    def both(self):
        if self.other is None:
            self.other = self.cluster.add_node(**ROOM)

    def runs_on_the_other(self, folder):
        """Whether the process of a cell is below the other node's daemon."""
        (raylet,) = self.other.all_processes["raylet"]
        return any(raylet.process.pid in ancestors(process) for process in processes(folder))

    def lose_the_other(self):
        self.cluster.remove_node(self.other, allow_graceful=False)
        self.other = None


def processes(folder):
    """Numbers of the processes below this one that train in a folder (Ray's daemons are its children)."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"train\0--config\0{folder}".encode() in line.read_bytes() and os.getpid() in ancestors(
                int(line.parent.name)
            ):
                found.append(int(line.parent.name))
    return found


def ancestors(process):
    while process > 1:
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except FileNotFoundError:
            return
        process = int(stat.rpartition(")")[2].split()[1])
        yield process


@pytest.fixture(scope="module")
def nodes():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = TwoNodes()
    yield made
    made.cluster.shutdown()


@pytest.fixture
def two_nodes(nodes):
    nodes.both()
    return nodes


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Cells of some seconds, so that there is time to break them off, and one that fails."""
    folder = tmp_path_factory.mktemp("domains")
    small = small_grid(two_domains(folder), seeds=[0])
    small["recipe"] |= {"joint_steps": 300}
    small["rows"] |= {"maps too small": {"method": "pixda", "recipe": {"alignment": {"discriminators_at": "logits"}}}}
    return write_grid(folder / "grid.yaml", small)


@pytest.fixture(scope="module")
def unbroken(grid, tmp_path_factory):
    """The same on the embedded pool."""
    out = tmp_path_factory.mktemp("unbroken")
    assert main(["compare", str(grid), f"--out={out}", "--at_once=2"]) == 0
    return out


@pytest.fixture
def start(grid, two_nodes):
    """Starts comparisons in processes of their own, and leaves none behind."""
    started = []

    def begin(out):
        command = [sys.executable, "-m", "pixda", "compare", str(grid), f"--out={out}", f"--ray={two_nodes.address}"]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def joint(out):
    return next((out / "runs").glob("joint_*"))


def trains(out):
    """Whether the joint cell is some steps into its training."""
    return any((out / "runs").glob("joint_*/checkpoint.pt"))


@pytest.mark.slow
def test_a_cell_whose_node_dies_goes_on_on_the_other_and_ends_as_an_unbroken_one(two_nodes, start, unbroken, tmp_path):
    out = tmp_path / "out"
    process = start(out)
    # Two cells train at a time, one on each node: the node of whichever is on the other one is lost.
    on_it = []

    def some_cell_trains_there():
        folders = [path.parent for path in (out / "runs").glob("[jp]*_*/checkpoint.pt")]
        on_it[:] = [folder for folder in folders if two_nodes.runs_on_the_other(folder)]
        return bool(on_it) or process.poll() is not None

    wait_until(some_cell_trains_there, PATIENCE)
    two_nodes.lose_the_other()
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert "goes on elsewhere" in said
    (cell,) = on_it
    assert len(re.findall("^On ", (cell / "log.txt").read_text(), re.MULTILINE)) == 2, (
        "begun on one, ended on the other"
    )
    assert models(out) == models(unbroken)
    assert (out / "table.csv").read_bytes() == (unbroken / "table.csv").read_bytes()
    assert "would get 12 x 8" in (out / "table.md").read_text(), "what fails says why"
    assert not list(out.glob(".ray-*"))


@pytest.mark.slow
def test_a_comparison_killed_and_started_again_goes_on(two_nodes, start, grid, unbroken, tmp_path, capsys):
    out = tmp_path / "out"
    process = start(out)
    wait_until(lambda: trains(out), PATIENCE)
    process.kill()
    process.communicate()
    # At once: what was running may not have ended yet, and nothing is to be begun twice.
    assert main(["compare", str(grid), f"--out={out}", f"--ray={two_nodes.address}"]) == 0
    assert "at work in" not in capsys.readouterr().out.replace("and is waited for", "")
    assert models(out) == models(unbroken)
    assert (out / "table.csv").read_bytes() == (unbroken / "table.csv").read_bytes()


@pytest.mark.slow
def test_ctrl_c_lets_the_cells_save_what_they_have(start, tmp_path):
    out = tmp_path / "out"
    process = start(out)
    wait_until(lambda: trains(out), PATIENCE)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert said.strip().splitlines()[-1].startswith("pixda: Stopped by SIGINT")
    assert "Stopped by SIGTERM, and saved at step" in (joint(out) / "log.txt").read_text()
    assert not processes(out / "runs")


@pytest.mark.slow
def test_a_mistake_is_one_line_before_anything_runs(two_nodes, grid, tmp_path, capsys):
    for more, said in [
        ([f"--ray={two_nodes.address}", "--cpus=3"], "lower --cpus"),
        ([f"--ray={two_nodes.address}", "--gpus=1"], "lower --cpus or --gpus"),
        (["--ray=127.0.0.1:1"], "ray start"),
    ]:
        assert main(["compare", str(grid), f"--out={tmp_path / 'out'}", *more]) == 1
        message = capsys.readouterr().err
        assert said in message
        assert len(message.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_without_ray_the_error_names_the_extra(grid, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["compare", str(grid), f"--out={tmp_path / 'out'}", "--ray=auto"]) == 1
    assert "pip install 'pixda[ray]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def scene(tmp_path):
    (tmp_path / ".mark").touch()
    return {"out": tmp_path, "mark": ".mark", "start": tmp_path, "code": code_hash()}


def test_a_node_that_sees_the_comparison_has_no_fault(scene):
    assert fault(NodeSettings(**scene)) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"out": Path("/not/shared")}, "does not see the folder /not/shared: put --out on"),
        ({"mark": ".another"}, "put --out on a file system that all nodes share"),
        ({"start": Path("/not/shared")}, "start the comparison in one that all nodes share"),
        ({"code": "0ld"}, "install the same one on all nodes"),
    ],
)
def test_a_node_that_cannot_run_a_cell_says_what_is_missing(scene, change, said):
    assert said in fault(NodeSettings(**scene | change))
    if "code" not in change:
        with pytest.raises(RuntimeError, match=re.escape(said)):
            run(NodeSettings(**scene | change), ["--version"], scene["out"] / "log.txt", 1, 0)


def test_a_worker_runs_the_command_in_a_process_of_its_own(scene):
    log = scene["out"] / "log.txt"
    assert run(NodeSettings(**scene), ["train"], log, 1, 0) == 1
    first, said = log.read_text().splitlines()
    assert first == f"On {os.uname().nodename}:"
    assert said.startswith("pixda: ")
