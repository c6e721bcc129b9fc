"""The drawing of imports: no circles, and the rooms of `sciml.md` stand on each other in one order."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import sciml

ROOT = Path(sciml.__file__).resolve().parent
ROOMS = ("atoms", "potentials", "files", "observables", "deep", "dynamics", "statics", "learning")


def name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name(path): path for path in ROOT.rglob("*.py")}


def imports(module: str) -> set[str]:
    """The modules of sciml that a module imports, inside functions too, but for the eyes of a type checker only."""
    path = FILES[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    tree, found = ast.parse(path.read_text()), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body.clear()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & set(FILES)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {sub if (sub := f"{base}.{alias.name}") in FILES else base for alias in node.names} & set(FILES)
    return found


GRAPH = {module: imports(module) for module in FILES}


def test_no_circles():
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as circle:
        raise AssertionError(" imports ".join(reversed(circle.args[1]))) from None


def test_the_drawing_sees_what_is_there():
    assert "sciml.solution" in GRAPH["sciml.pinn._solve"]
    assert "sciml.pde._json" in GRAPH["sciml.pde._pde"] and len(FILES) > 200


def test_rooms_stand_on_those_before_them():
    level = {f"sciml.md.{room}": k for k, room in enumerate(ROOMS)}
    assert {path.name for path in (ROOT / "md").iterdir() if path.is_dir()} - {"__pycache__"} == set(ROOMS)
    room = lambda module: level.get(".".join(module.split(".")[:3]))  # noqa: E731
    for module, found in GRAPH.items():
        for other in found:
            if room(module) is not None and room(other) is not None:
                assert room(other) <= room(module), f"{module} imports {other}, of a later room"
            assert room(module) is None or other not in ("sciml", "sciml.md"), f"{module} imports {other}"
