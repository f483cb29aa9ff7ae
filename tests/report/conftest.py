"""A first stage, PixDA and a control on two small domains, and the report about them."""

import pytest

from pixda.__main__ import main
from runs import two_domains, words

CLASSES = """name: three
classes:
  <script>alert("road")</script>: {colour: [128, 64, 128], cityscapes: 7}
  sky & "air": {colour: [70, 130, 180], cityscapes: 23}
  car: {colour: [0, 0, 142], cityscapes: 26}
"""
"""A class with markup for a name: it has to stay text."""


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """`first`, `pixda` and `fine_tuning` in one folder; the data lies above it."""
    root = two_domains(tmp_path_factory.mktemp("family"))
    (root / "classes.yaml").write_text(CLASSES)
    runs = root / "runs"
    shared = [f"--classes={root / 'classes.yaml'}"]
    assert main(words(root, runs / "first", "--recipe.more_steps=0", *shared, method="source_only")) == 0
    shared.append(f"--start_from={runs / 'first'}")
    assert main(words(root, runs / "pixda", *shared)) == 0
    assert main(words(root, runs / "fine_tuning", *shared, method="fine_tuning")) == 0
    return runs


@pytest.fixture(scope="session")
def page(runs, tmp_path_factory):
    """The report about `pixda`."""
    out = tmp_path_factory.mktemp("report")
    assert main(["report", str(runs / "pixda"), "--out", str(out)]) == 0
    return out / "report.html"
