"""The table of faults in the documentation: every test that it names exists, and every row names one."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/reliability.md"


def test_every_row_of_the_table_names_tests_that_exist():
    text = PAGE.read_text()
    there = {
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named, "no test is named"
    assert named <= there, f"named and not there: {sorted(named - there)}"
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| fault ")]
    assert len(rows) > 10
    assert [row for row in rows if "`test_" not in row] == []
