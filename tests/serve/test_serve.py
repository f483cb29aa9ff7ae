"""The command: what it refuses before anything is served."""

import sys

from pixda.__main__ import main


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)  # as Python has it where a package is not installed
    assert main(["serve", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "pixda: The page needs Gradio: pip install 'pixda[serve]'.\n"


def test_no_model_is_a_sentence(capsys):
    assert main(["serve"]) == 1
    assert "are required: models" in capsys.readouterr().err
