"""The files of a comparison, and its tables in the terminal."""

from dataclasses import replace

import pytest
from PIL import Image

from comparisons import study
from pixda.comparison import tables as module
from pixda.comparison.tables import print_table, write

NAMES = ["curve.pdf", "curve.png", "protocol.md", "table.csv", "table.md", "table.tex"]


@pytest.fixture(scope="module")
def comparison():
    return study(methods={"source only": (30, 0), "PixDA [bold]": (50, 1)}, shots=(1, 5))


def broken(comparison):
    """The first seed of PixDA has failed, and all that has five shots waits."""

    def now(one):
        if one.cell.shots == 5:
            return replace(one, scores=None)
        if one.cell.row != "source only" and one.cell.seed == 0:
            return replace(one, scores=None, failure="no [red]room[/red] left")
        return one

    return replace(comparison, results=[now(one) for one in comparison.results])


def test_all_files_are_written_and_the_same_results_give_the_same_bytes(comparison, tmp_path):
    files = write(comparison, tmp_path / "new" / "folder")
    assert sorted(file.name for file in files) == NAMES
    assert sorted(file.name for file in (tmp_path / "new/folder").iterdir()) == NAMES
    assert Image.open(tmp_path / "new/folder/curve.png").size[0] == 1600
    assert (tmp_path / "new/folder/curve.pdf").read_bytes().startswith(b"%PDF")
    before = {file: file.read_bytes() for file in files}
    write(comparison, tmp_path / "new" / "folder")
    assert {file: file.read_bytes() for file in files} == before


def test_a_file_is_replaced_at_once_or_stays(comparison, tmp_path, monkeypatch):
    write(comparison, tmp_path)
    before = (tmp_path / "table.md").read_bytes()

    def half(path, text, **options):
        path.write_bytes(text[:10].encode())
        raise OSError("no space left")

    monkeypatch.setattr(module.Path, "write_text", half)
    with pytest.raises(OSError, match="no space left"):
        write(broken(comparison), tmp_path)
    assert (tmp_path / "table.md").read_bytes() == before


def test_a_comparison_under_way_can_be_written(comparison, tmp_path):
    write(broken(comparison), tmp_path)
    assert "5 of 12 runs have scores, 1 failed, 6 not run yet." in (tmp_path / "table.md").read_text()


def test_the_terminal_shows_means_what_is_missing_and_why(comparison, capsys):
    print_table(broken(comparison))
    said = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines() if "│" in line]
    assert [row[0] for row in rows] == ["source only", "PixDA [bold]"] * 2
    assert rows[0][2] == "not run"
    assert rows[1][1].endswith("(2/3)")
    assert "mIoU 19, %" in said
    assert "mIoU rare, %" in said
    assert "failed: PixDA [bold], 1 shot, seed 0: no [red]room[/red] left" in said
    assert "5 of 12 runs have scores" in said
