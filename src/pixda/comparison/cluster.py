"""Jobs on a Ray cluster that is there already: Ray finds the nodes, which share the folder of the comparison."""

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from pixda.comparison import on_node
from pixda.comparison.command_line import Resources
from pixda.comparison.jobs import Job
from pixda.comparison.on_node import NodeSettings
from pixda.comparison.pool import End, why_ended
from pixda.errors import UserError
from pixda.provenance import code_hash
from pixda.terminal import console

_SEEN_WITHIN = 60.0  # seconds until a file that another node wrote is seen here: NFS caches that it was not there
_ANSWER_WITHIN = 10.0  # seconds for the head to be reached
_LOOK_WITHIN = 120.0  # seconds for the first look at a node, on which a worker has to start


@contextmanager
def ray_executor(address: str, resources: Resources, out: Path) -> Iterator["RayExecutor"]:
    """The executor of a cluster whose nodes were all found to see the folder of the comparison.

    Args:
        address: ``HOST:PORT`` of the cluster's head; ``auto``: that of the cluster which this machine belongs to.
        resources: what each job is given.
        out: folder of the comparison.

    Raises:
        UserError: there is no such cluster, no node of it has what a job needs, or a node cannot run one.
    """
    ray = load_ray()
    try:
        if (host_port := re.fullmatch(r"([^:/]+):(\d+)", address)) is not None:
            # Ray itself would try for minutes.
            socket.create_connection((host_port[1], int(host_port[2])), _ANSWER_WITHIN).close()
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError, OverflowError, ray.exceptions.RayError) as error:
        raise UserError(
            f"There is no Ray cluster at '{address}' that this machine belongs to ({_first_line(error)}): start one "
            "with 'ray start --head', and on every other node 'ray start --address HOST:PORT'."
        ) from error
    mark = out / f".ray-{uuid4().hex[:12]}"
    try:
        gpus = resources.gpus if resources.gpus is not None else 1.0 if ray.cluster_resources().get("GPU") else 0.0
        settings = NodeSettings(out, mark.name, Path.cwd(), code_hash())
        cluster = RayExecutor(ray, settings, resources.cpus or 1, gpus, resources.at_once)
        mark.touch()
        cluster.check()
        yield cluster
    finally:
        ray.shutdown()
        mark.unlink(missing_ok=True)


def load_ray() -> Any:
    """The package; without it, an error that says what to install."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError("--ray needs the package ray: pip install 'pixda[ray]'.") from error
    return ray


@dataclass
class RayExecutor:
    """Runs jobs on a cluster; each has its share of some node's processors and GPUs."""

    ray: Any
    settings: NodeSettings
    cpus: int
    gpus: float
    at_once: int | None
    _empty: bool = field(default=False, init=False)

    def capacity(self) -> int:
        """As many as the living nodes have resources for; where others use the cluster, Ray lets jobs wait."""
        capacity = sum(count for _, count in self._nodes())
        if self._empty != (capacity == 0):
            self._empty = capacity == 0
            if self._empty:
                console().print("No living node of the cluster has room for a cell; waiting for one.")
        return min(capacity, self.at_once or capacity)

    def submit(self, job: Job) -> "_RayProcess":
        """Hand a job to Ray."""
        task = self.ray.remote(on_node.run).options(
            # Ray would retry at once; the pool first makes sure that no process still works in the job's folder.
            max_retries=0,
            num_cpus=self.cpus,
            num_gpus=self.gpus,
            name=job.title,
        )
        return _RayProcess(self.ray, task.remote(self.settings, list(job.words), job.log, self.cpus, self.gpus), job)

    def check(self) -> None:
        """Raise UserError where no node can run a job, or one that could does not see the comparison as we do."""
        nodes = [node for node, count in self._nodes() if count]
        if not nodes:
            has = [f"{node['NodeManagerAddress']} has {_resources(node)}" for node, _ in self._nodes()]
            raise UserError(
                f"No node of the cluster has the {self.cpus} CPUs and {self.gpus:g} GPUs of a cell "
                f"({'; '.join(has) or 'none is alive'}); lower --cpus or --gpus."
            )
        pin = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        look = self.ray.remote(on_node.fault)
        asked = [
            look.options(num_cpus=0, max_retries=0, scheduling_strategy=pin(node["NodeID"], soft=False))
            for node in nodes
        ]
        for node, reference in zip(nodes, [one.remote(self.settings) for one in asked], strict=True):
            where = f"The node {node['NodeManagerAddress']} of the Ray cluster"
            try:
                why = self.ray.get(reference, timeout=_LOOK_WITHIN)
            except self.ray.exceptions.RayError as error:
                raise UserError(
                    f"{where} cannot run PixDA ({_first_line(error)}): install the same version on all nodes."
                ) from error
            if why is not None:
                raise UserError(f"{where} {why}.")

    def _nodes(self) -> list[tuple[dict[str, Any], int]]:
        """Each living node, and how many jobs it has resources for."""
        found = []
        for node in self.ray.nodes():
            if node["Alive"]:
                has = node["Resources"]
                count = has.get("CPU", 0) // self.cpus
                if self.gpus >= 1:
                    count = min(count, has.get("GPU", 0) // self.gpus)
                elif self.gpus:
                    count = min(count, has.get("GPU", 0) * int(1 / self.gpus))
                found.append((node, int(count)))
        return found


class _RayProcess:
    def __init__(self, ray: Any, reference: Any, job: Job) -> None:
        self._ray, self._reference, self._job = ray, reference, job
        self._ended_at: float | None = None

    def end(self) -> End | None:
        if not self._ray.wait([self._reference], timeout=0)[0]:
            return None
        self._ended_at = self._ended_at or time.monotonic()
        errors = self._ray.exceptions
        try:
            code = self._ray.get(self._reference)
        except errors.TaskCancelledError:
            return End("It was cancelled.")
        except errors.RayTaskError as error:
            return End(_first_line(error.cause))
        except errors.RayError as error:
            return End(f"its node or its Ray worker died ({type(error).__name__})", machine_lost=True)
        if code == 0 and not self._job.done and time.monotonic() - self._ended_at < _SEEN_WITHIN:
            return None
        return End(why_ended(self._job, code))

    def stop(self, at_once: bool) -> None:
        with suppress(self._ray.exceptions.RayError):
            self._ray.cancel(self._reference, force=at_once)


def _resources(node: dict[str, Any]) -> str:
    has = node["Resources"]
    return f"{has.get('CPU', 0):g} CPUs and {has.get('GPU', 0):g} GPUs"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
