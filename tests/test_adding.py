"""A method, a dataset, a network and an augmentation are added where CONTRIBUTING says, and nowhere else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pixda
from runs import two_domains, words

NEW_FILES = {
    "methods/toy.py": '''
from dataclasses import dataclass

from pixda.methods.method import Method


@dataclass(frozen=True)
class Toy(Method):
    """Learn from the shots alone, with the loss halved."""

    title = "toy method"

    toy_steps: int = 6
    """Optimiser steps on the shots."""

    def phases(self):
        from pixda.phases.toy import Halved

        return [self.pretrain(), Halved(name="halved", factor=0.5, **self.shared(self.toy_steps))]
''',
    "phases/toy.py": '''
from dataclasses import dataclass

from pixda.models.upsampling import upsample
from pixda.phases.phase import Phase


@dataclass(kw_only=True, eq=False)
class Halved(Phase):
    """L_seg(shots), halved."""

    about = "The network learns half as much from every shot."

    factor: float

    def batches(self, epoch, skip):
        return self.context.domains.target_only(self.steps, self.batch, self.name, epoch, skip)

    def step(self, batch):
        target = batch.labelled_target()
        scores = upsample(self.segmenter(target.images), target.masks.shape[-2:])
        loss = self.factor * self.segmentation(scores, target.masks)
        self.segmenter.backward(loss)
        self.segmenter.step()
        return {"target": loss.detach()}
''',
    "data/toy.py": '''
from pixda.data.dataset import SegmentationDataset


class Toy(SegmentationDataset):
    """`images/<name>.png` beside `masks/<name>.png`."""

    scheme = "cityscapes"
    splits = ("all",)
    layout = "images/000.png with masks/000.png"

    def find(self):
        """Return all frames."""
        images, masks = (self.search.files(self.root / kind, (".png",)) for kind in ("images", "masks"))
        return self.paired(images, masks)
''',
    "models/toy.py": '''
from torch import nn

from pixda.models.segmenter import Segmenter


class ToyNet(Segmenter):
    """RGB float B x 3 x H x W in 0..255 -> logits B x C x H/2 x W/2."""

    def __init__(self, classes, width=4):
        backbone = nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.ReLU())
        super().__init__(backbone, nn.Conv2d(width, len(classes.names), 1), classes, "symmetric")
''',
}

LINES = {  # file -> a line that is there, and the same with what is added
    "methods/__init__.py": [
        ("METHODS: dict[str, type[Method]] = {", '{before}\n    "toy": Toy,'),
        ("from pixda.methods.method import Method", "{before}\nfrom pixda.methods.toy import Toy"),
    ],
    "data/open.py": [
        ("DATASETS: dict[str, type[SegmentationDataset]] = {", '{before}\n    "toy": Toy,'),
        ("from pixda.errors import UserError", "from pixda.data.toy import Toy\n{before}"),
    ],
    "models/__init__.py": [
        ("ARCHITECTURES: dict[str, Callable[..., Segmenter]] = {", '{before}\n    "toy_net": ToyNet,'),
        ("from pixda.models.weights import LoadReport, load_weights", "{before}\nfrom pixda.models.toy import ToyNet"),
    ],
    "data/config.py": [
        ('DatasetName = Literal["gta5",', 'DatasetName = Literal["toy", "gta5",'),
        ("    blur: float = 0.0", '    negative: float = 0.0\n    """Share 0..1 of negatives."""\n{before}'),
    ],
    "data/augmentation.py": [
        (
            "    image = sample.image[None].float() / 255",
            "{before}\n    if _uniform(generator) < settings.negative:\n        image = 1 - image",
        ),
        ("settings.blur or settings.noise", "{before} or settings.negative"),
    ],
}


# Several commands in one process, which imports PyTorch once.
ALL = """
import contextlib, json, sys
from pixda.__main__ import main
for command in json.load(sys.stdin):
    with contextlib.suppress(SystemExit):  # how argparse ends after --help
        assert main(command) == 0, command
"""


@pytest.fixture
def extended(tmp_path_factory):
    """A copy of the package with all four added; the environment in which Python finds it first."""
    source = tmp_path_factory.mktemp("src")
    shutil.copytree(Path(pixda.__file__).parent, source / "pixda", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in NEW_FILES.items():
        (source / "pixda" / name).write_text(text)
    for name, changes in LINES.items():
        path = source / "pixda" / name
        text = path.read_text()
        for before, after in changes:
            assert before in text, f"{name} has no line {before!r}: CONTRIBUTING and this test follow the code"
            text = text.replace(before, after.format(before=before), 1)
        path.write_text(text)
    return {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def test_all_four_in_one_run_and_its_report(extended, tmp_path):
    root, out = two_domains(tmp_path), tmp_path / "run"
    changed = ("--recipe.tuning_steps", "--method", "--source.dataset", "--source.scheme", "--network.architecture")
    given = [word for word in words(root, out, method="fine_tuning") if not word.startswith(changed)]
    given += [
        "--method=toy",
        "--source.dataset=toy",
        "--network.architecture=toy_net",
        '--network.options={"width": 6}',
    ]
    given += ["--recipe.augmentation.negative=0.5", "--recipe.toy_steps=4"]

    commands = [["train", "--method", "toy", "--help", "all"], given, ["report", str(out)]]
    ran = subprocess.run(
        [sys.executable, "-c", ALL],
        input=json.dumps(commands),
        env=extended,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "--recipe.toy_steps" in ran.stdout
    made = json.loads((out / "model.json").read_text())
    assert made["network"] == {"architecture": "toy_net", "width": 6}
    assert made["made"]["steps"] == {"pretrain": 20, "halved": 4}
    report = (out / "report/report.html").read_text()
    assert "toy method" in report
    assert "half as much from every shot" in report
