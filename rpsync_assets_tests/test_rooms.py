"""The rooms of the house: what a module loads, it may load; nothing goes round in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import rpsync_assets

HOUSE = Path(rpsync_assets.__file__).parent


def modules() -> dict[str, Path]:
    """Every module of the package and its file."""
    found = {}
    for path in HOUSE.rglob("*.py"):
        parts = path.relative_to(HOUSE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def loaded_at_once(path: Path, known: dict[str, Path]) -> set[str]:
    """What of ours a module loads when it is loaded: not within functions, nor for the type checker alone."""
    named = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            named |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.Import):
            named |= {one.name for one in node.names}
    return {name for name in named if name in known}


def test_any_module_can_be_loaded_first() -> None:
    """A package loads before its modules, so whoever loads one loads its package, too."""
    known = modules()
    loads = {name: loaded_at_once(path, known) for name, path in known.items()}
    packages = {name: {name.rsplit(".", end)[0] for end in range(1, name.count(".") + 1)} for name in known}
    above = {name: {one for asked in wanted for one in packages[asked]} for name, wanted in loads.items()}
    # A module of a package, loaded by that package, does not wait for the package to be loaded.
    graph = {name: (wanted | above[name]) - packages[name] - {name} for name, wanted in loads.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(known) > 150
