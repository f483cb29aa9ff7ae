"""An unbroken run, beside which those that are stopped must end in the same bits."""

import pytest

from pixda.__main__ import main
from runs import two_domains, words


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory):
    """The two domains and a run of the first stage alone, with `--recipe.more_steps=0`."""
    root = two_domains(tmp_path_factory.mktemp("domains"))
    out = tmp_path_factory.mktemp("runs") / "unbroken"
    assert main(words(root, out, "--recipe.more_steps=0", method="source_only")) == 0
    return root, out
