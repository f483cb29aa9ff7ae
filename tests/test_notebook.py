"""docs/notebook.ipynb: its cells run in order as plain Python, and what is stored with them is fit to be read."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs/notebook.ipynb"


@pytest.fixture(scope="module")
def cells():
    return [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow  # a demo, a comparison and pictures, each of them tested elsewhere
def test_the_cells_run_in_order(cells, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, cell in enumerate(cells, start=1):
        exec(compile("".join(cell["source"]), f"code cell {number}", "exec"), names)
    assert "mean of 19 classes" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["runs"], "everything it makes is in one folder"


def test_every_cell_was_executed_once_and_what_it_gave_is_small_and_tells_nothing_of_the_machine(cells):
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert NOTEBOOK.stat().st_size < 400_000
    assert not any("execution" in cell["metadata"] for cell in cells), "times of execution would change with every run"
    texts, pictures = [], 0
    for output in (output for cell in cells for output in cell["outputs"]):
        assert output["output_type"] in ("stream", "execute_result", "display_data")
        assert output.get("name") != "stderr"
        data = output.get("data", {})
        pictures += "image/png" in data
        shown = [text for kind, text in data.items() if not kind.startswith("image/")]
        texts += ["".join(text) for text in (output.get("text", ""), *shown)]
    assert pictures >= 2
    assert "\x1b" not in "\n".join(texts)
    assert not re.search(r"(^|[\s'\"(=])(/\w|[A-Z]:\\)", "\n".join(texts)), "an absolute path"
