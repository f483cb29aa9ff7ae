"""A form of a part in a process of its own, which takes a turn for every line it is sent."""

import argparse
import json
import statistics
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

import torch

from benchmarks.part import Part
from benchmarks.setting import Setting

TURN = 0.2
"""Seconds."""


class Worker:
    """The other end of such a process.

    Args:
        part: by name.
        form: ``check``, ``plain`` or ``product``.
        setting: sizes and device.
        as_in_a_run: keep memory that is done with, as a run of the product does; else give it back to the system at
            once, which is the plain form's way.
    """

    def __init__(self, part: str, form: str, setting: Setting, as_in_a_run: bool) -> None:
        command = [sys.executable, "-m", "benchmarks.worker", part, form, json.dumps(setting.as_json())]
        command += [str(torch.get_num_threads()), *(["--as-in-a-run"] if as_in_a_run else [])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answer(self) -> dict[str, Any]:
        """What the process says next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a part ended with status {self._process.wait()}; what it said stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def turn(self) -> tuple[float, float]:
        """Let the form run for a moment, once at least: median wall and processor seconds of a run."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self.answer()
        return answer["wall"], answer["processor"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Make the part, check it or take turns."""
    from benchmarks.measuring import flops_of, timed
    from benchmarks.parts import PARTS

    parser = argparse.ArgumentParser()
    parser.add_argument("part")
    parser.add_argument("form", choices=["check", "plain", "product"])
    parser.add_argument("setting", type=json.loads)
    parser.add_argument("threads", type=int)
    parser.add_argument("--as-in-a-run", action="store_true")
    given = parser.parse_args()
    # What a form prints is not an answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(given.threads)
    setting = Setting.from_json(given.setting)
    if given.as_in_a_run:
        from pixda.machine.devices import hold_memory

        hold_memory()
    part: Part = PARTS[given.part]
    forms = part.make(setting)
    if given.form == "check":
        found = {"agreement": forms.check(), "flops": flops_of(forms.product), "traffic": forms.traffic}
        print(json.dumps(found), file=answers, flush=True)
        return
    run = forms.plain if given.form == "plain" else forms.product
    for _ in sys.stdin:
        # Several runs where they are short: the first meets cold caches and sleeping threads, as no training step does.
        runs = [timed(run, setting)]
        while sum(wall for wall, _ in runs) < TURN:
            runs.append(timed(run, setting))
        wall, processor = (statistics.median(times) for times in zip(*runs, strict=True))
        print(json.dumps({"wall": wall, "processor": processor}), file=answers, flush=True)


if __name__ == "__main__":
    main()
