"""The house: a file imports only from the floors below its own, or from its own room."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "pixda"

# From the ground up. A room is a module or a package of pixda; rooms on one line share a floor.
FLOORS = [
    {"errors", "terminal", "provenance", "words"},
    {"reading", "shipped", "writing"},
    {"data"},
    {"config", "style", "mixing", "models", "losses", "sheet", "importing"},
    {"machine", "selection", "pseudo_labels", "calibration", "typical"},
    {"phases"},
    {"methods"},
    {"options", "metrics"},
    {"evaluation"},
    {"watch"},
    {"training"},
    {"planning"},
    {"predict", "comparison"},
    {"report"},
    {"export", "suggestion", "serve", "averaging"},
    {"api"},
    {"demo"},
    {"commands"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def rooms_imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "pixda" and len(parts) > 1 and parts[1] in FLOOR:
                yield parts[1]


def test_a_file_imports_only_from_below():
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        inside = path.relative_to(SOURCE)
        room = inside.parts[0].removesuffix(".py")
        if room == "__init__":
            assert not list(rooms_imported(path)), "the package itself imports nothing, so that --help stays quick"
            continue
        assert room in FLOOR, f"{inside} has no floor yet; give it one here"
        above = {other for other in rooms_imported(path) if other != room and FLOOR[other] >= FLOOR[room]}
        wrong += [f"{inside} imports from {other}, which is not below it" for other in sorted(above)]
    assert not wrong


def test_the_street_world_knows_nothing_of_pixda():
    for path in (SOURCE.parent / "streetworld").glob("*.py"):
        assert "pixda" not in path.read_text(), f"{path.name}: streetworld is used by pixda, not the other way round"
