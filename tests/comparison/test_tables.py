"""What the tables show, and that no name can break them."""

import csv as csv_files
import io
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from comparisons import result, scores, shares, study
from pixda.comparison.grid import Cell
from pixda.comparison.results import Comparison
from pixda.comparison.tables import csv, latex, markdown
from pixda.data.classes import ClassSet

CITYSCAPES = ClassSet.load("cityscapes-19")
CAMVID = ClassSet.load("camvid-11")
HOSTILE = r"a&b % _x_ #1 {y} \z ~ ^ $5 <i> | [t] *s* `c` λ"


def level(classes, value, **other):
    """The same IoU for all classes, but for some."""
    return scores(classes, {name: other.get(name, value) for name in classes.names})


def partial():
    """11 classes, one split: complete, incomplete, failed and waiting rows."""
    cells = [
        *(result(Cell("", "whole", 1, s), level(CAMVID, v, fence=None), 3) for s, v in enumerate((0.40, 0.42, 0.44))),
        *(result(Cell("", "twin", 1, s), level(CAMVID, v, fence=None), 3) for s, v in enumerate((0.41, 0.42, 0.43))),
        result(Cell("", "gap", 1, 0), level(CAMVID, 0.60, fence=None), 3),
        result(Cell("", "gap", 1, 1), level(CAMVID, 0.62, fence=None), 3),
        result(Cell("", "gap", 1, 2), frames=3, failure="the card | ran\nout of memory"),
        *(result(Cell("", "broken", 1, s), failure="no such file") for s in range(3)),
        *(result(Cell("", "later", 1, s)) for s in range(3)),
    ]
    return Comparison("Streets to CamVid", cells, CAMVID, {"": shares(CAMVID)}, {})


def grids(text):
    """The tables of a Markdown text: each a list of rows of cells; every row must have as many as the first."""
    found = []
    for block in text.split("\n\n"):
        if block.startswith("|"):
            rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
            assert {len(row) for row in rows} == {len(rows[0])}
            found.append([[cell.strip() for cell in row] for row in rows])
    return found


def test_the_overview_has_means_deviations_and_what_is_missing():
    everything, rare, *_ = grids(markdown(partial()))
    assert everything[0] == ["mIoU 11, %", "1 shot (3 frames)", "runs"]
    assert everything[2:] == [
        ["whole", "**42.0 ± 2.0**", "3"],  # ties are both bold
        ["twin", "**42.0 ± 1.0**", "3"],
        ["gap", "61.0 ± 1.4 (2/3)", "2 of 3"],  # higher, and does not compete
        ["broken", "failed", "0 of 3"],
        ["later", "not run", "0 of 3"],
    ]
    assert rare[0][0] == "mIoU rare, %"
    assert rare[2:] == everything[2:]


def test_the_classes_follow_in_the_order_of_the_class_set():
    text = markdown(partial())
    table = grids(text)[2]
    rare = {"pole", "pedestrian", "bicyclist"}
    assert table[0][2:-3] == [name + r"\*" * (name in rare) for name in CAMVID.names]
    assert table[0][-3:] == ["mIoU 11", "mIoU rare", "seeds"]
    rows = {row[1]: dict(zip(table[0], row, strict=True)) for row in table[2:]}
    assert rows["whole"]["sky"] == "**42.0 ± 2.0**"
    assert rows["whole"]["fence"] == "–"
    assert rows["gap"]["sky"] == "61.0 ± 1.4"
    assert [row["seeds"] for row in rows.values()] == ["3 seeds", "3 seeds", "2 of 3 seeds", "failed", "not run"]
    assert rows["broken"]["sky"] == rows["later"]["mIoU 11"] == ""
    assert "pole (0.98 %), pedestrian (0.62 %), bicyclist (0.48 %)" in text
    assert "8 of 15 runs have scores, 4 failed, 3 not run yet." in text


def test_what_failed_is_at_the_end_with_its_reason():
    assert grids(markdown(partial()))[-1][2:] == [
        ["", "gap", "1", "2", r"the card \| ran out of memory"],
        ["", "broken", "1", "0, 1, 2", "no such file"],
    ]


def test_one_seed_has_no_deviation_and_a_lone_row_no_bold():
    comparison = study(methods={"PixDA": (50, 1)}, shots=(1,), seeds=(0,))
    text = markdown(comparison)
    value = 100 * comparison.results[0].scores.mean["19"]
    assert grids(text)[0][2][1] == f"{value:.1f}"
    assert "±" not in text.split("\n## ", 1)[1]
    assert "**" not in text


def test_nineteen_classes_have_their_three_protocols_and_each_split_its_tables():
    comparison = study(methods={"a": (30, 1), "b": (40, 1)}, shots=(1, 5), splits=("small gap", "large gap"))
    text = markdown(comparison)
    tables = grids(text)
    assert len(tables) == 6
    assert tables[4][0][-5:] == ["mIoU 19", "mIoU 16", "mIoU 13", "mIoU rare", "seeds"]
    assert [row[0] for row in tables[5][2:]] == ["1 shot (18 frames)", "", "5 shots (90 frames)", ""]
    assert re.findall("^## .*", text, re.MULTILINE) == [
        *("## Overview: small gap", "## Overview: large gap"),
        *("## By class: small gap", "## By class: large gap"),
    ]


def test_shots_that_a_row_has_not_are_empty():
    comparison = study(methods={"a": (30, 1), "b": (40, 1)}, shots=(1, 5))
    fewer = [one for one in comparison.results if (one.cell.row, one.cell.shots) != ("a", 1)]
    overview = grids(markdown(replace(comparison, results=fewer)))[0]
    row = dict(zip(overview[0], overview[2 + [r[0] for r in overview[2:]].index("a")], strict=True))
    assert row["1 shot (18 frames)"] == ""
    assert row["5 shots (90 frames)"] != ""


def test_csv_holds_every_number_unrounded_and_every_reason():
    comparison = partial()
    rows = list(csv_files.DictReader(io.StringIO(csv(comparison))))
    assert len(rows) == 8 * (11 + 3) + 7
    for one in comparison.results:
        inside = [
            row
            for row in rows
            if row["method"] == one.cell.row and (row["seed"], row["shots"]) == (str(one.cell.seed), "1")
        ]
        if one.scores is None:
            assert [row["value"] for row in inside] == [""]
            assert inside[0]["note"] == ("not run" if one.failure is None else f"failed: {one.failure}")
            continue
        assert {row["frames"] for row in inside} == {"3"}
        values = {(row["measure"], row["name"]): row["value"] for row in inside}
        for name, value in one.scores.iou.items():
            assert values["class", name] == ("" if value is None else repr(value))
        assert float(values["mean", "11"]) == one.scores.mean["11"]
        assert float(values["pixel accuracy", ""]) == one.scores.pixel_accuracy
        assert float(values["rare mean", ""]) == pytest.approx(one.scores.iou["pole"])
        notes = {row["name"]: row["note"] for row in inside if row["note"]}
        assert notes == {"fence": "no ground truth"}
        assert {row["name"] for row in inside if row["rare"] == "yes"} == {"pole", "pedestrian", "bicyclist"}


def test_without_rare_classes_there_is_no_mean_of_them():
    bare = replace(partial(), shares={})
    assert "rare" not in markdown(bare)
    assert "rare mean" not in csv(bare)


def hostile():
    names = (HOSTILE, r"\end{table*}", "50 %", *CAMVID.names[3:])
    classes = replace(CAMVID, names=names)
    found = scores(classes, dict.fromkeys(names, 0.5))
    cells = [
        *(result(Cell(f"s {HOSTILE}", f"{row}{HOSTILE}", 1, seed), found, 3) for row in "ab" for seed in range(2)),
        result(Cell(f"s {HOSTILE}", "[c", 1, 0), failure=f"{HOSTILE}\n\n| a | new | table |"),
    ]
    share = dict.fromkeys(names, 1 / 11) | {HOSTILE: 0.005}
    return Comparison(HOSTILE, cells, classes, {f"s {HOSTILE}": share}, {HOSTILE: HOSTILE})


def test_hostile_names_stay_text_in_markdown():
    text = markdown(hostile())
    assert len(grids(text)) == 4
    escaped = r"a&amp;b % \_x\_ #1 {y} \\z &#126; ^ $5 &lt;i> \| \[t\] \*s\* \`c\` λ"
    assert f"# {escaped}\n" in text
    assert f"| b{escaped} |" in text
    assert f"{escaped} \\| a \\| new \\| table \\| |" in text


def latex_cells(text):
    """Rows of a tabular, split at the ``&`` that LaTeX would split at."""
    body = text.split("\\toprule", 1)[1].split("\\bottomrule", 1)[0]
    rows = [line for line in body.splitlines() if line.endswith("\\\\")]
    return [re.split(r"(?<!\\)&", row.removesuffix("\\\\")) for row in rows]


def test_hostile_names_stay_text_in_latex():
    text = latex(hostile())
    rows = latex_cells(text)
    assert {len(row) for row in rows} == {2 + 11 + 2 + 1}
    assert text.count(r"\end{table*}") == 1
    first = (
        r"a\&b \% \_x\_ \#1 \{y\} \textbackslash{}z \textasciitilde{} \textasciicircum{} \$5 \textless{}i\textgreater{}"
    )
    assert rows[1][1].strip().startswith(f"a{first}")
    assert r"\textbackslash{}end\{table*\}" in text
    bare = re.sub(r"\\[{}%&#$_\\]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0


def test_latex_has_the_form_of_the_paper():
    comparison = study(methods={"a": (30, 1), "b": (60, 1)}, shots=(1, 5), splits=("near", "far"))
    text = latex(comparison)
    assert text.count(r"\begin{table*}") == 2
    rows = latex_cells(text)
    assert r"\rotatebox{90}{wall*}" in rows[0][5]
    assert r"\rotatebox{90}{road}" in rows[0][2]
    assert [row[0].strip() for row in rows[1:]] == ["1 shot (18 frames)", "", "5 shots (90 frames)", ""]
    assert re.fullmatch(r"\\textbf\{\d\d\.\d\}", rows[2][2].strip())
    assert re.fullmatch(r"\\textbf\{\d\d\.\d \$\\pm\$ \d\.\d\}", rows[2][-5].strip())
    assert rows[2][-1].strip() == "3 seeds"


TEX = shutil.which("pdflatex") or shutil.which("tectonic")


@pytest.mark.skipif(TEX is None, reason="neither pdflatex nor tectonic is installed")
@pytest.mark.parametrize("comparison", [hostile, partial, study], ids=["hostile names", "partial", "75 rows"])
def test_latex_compiles(comparison, tmp_path):
    document = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}" + "\n"
    (tmp_path / "table.tex").write_text(document + latex(comparison()) + r"\end{document}", encoding="utf-8")
    options = ["-interaction=nonstopmode", "-halt-on-error"] if "pdflatex" in TEX else []
    made = subprocess.run([TEX, *options, "table.tex"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-2000:]
    assert (tmp_path / "table.pdf").stat().st_size > 5000
