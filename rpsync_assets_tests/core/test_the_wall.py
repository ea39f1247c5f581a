"""The wall around the quiet room, and the map at the door of every module."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rpsync_assets

PACKAGE = Path(rpsync_assets.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
CORE = [module for module in MODULES if module.parent.name == "core"]
QUIET = {
    "codecs",
    "unicodedata",
    "zlib",
    "polars",
    "csv",
    "io",
    "re",
    "hashlib",
    "itertools",
    "collections",
    "dataclasses",
    "concurrent",
    "zoneinfo",
}
QUIET |= {"datetime", "statistics", "typing", "rpsync_assets.core"}


def imported(tree: ast.Module) -> set[str]:
    """What a module imports: our own by room, others by their first name."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    parts = [name.split(".") for name in names]
    return {".".join(part[:2]) if part[0] == "rpsync_assets" else part[0] for part in parts}


def called(tree: ast.Module) -> set[str]:
    """What a module calls: ``open``, ``datetime.now`` and so on, by the last name."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        call.id if isinstance(call, ast.Name) else call.attr
        for call in calls
        if hasattr(call, "id") or hasattr(call, "attr")
    }


@pytest.mark.parametrize("module", CORE, ids=lambda module: module.stem)
def test_the_quiet_room_knows_no_orchestration_no_files_and_no_clock(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    assert imported(tree) <= QUIET
    assert not called(tree) & {"open", "now", "today", "utcnow", "getenv", "print", "input", "scan_csv", "sleep"}


def test_there_are_modules_behind_the_wall() -> None:
    """Otherwise the test above would hold for nothing."""
    assert {"gtin", "reader", "reset", "guards"} <= {module.stem for module in CORE}


@pytest.mark.parametrize(
    "line", ["import dagster", "import os", "from pathlib import Path", "from rpsync_assets.resources import sftp"]
)
def test_the_wall_would_see_a_hole(line: str) -> None:
    assert not imported(ast.parse(line)) <= QUIET


@pytest.mark.parametrize(
    ("room", "line", "refused"),
    [
        ("core", "import dagster", True),
        ("core", "import paramiko", True),
        ("core", "from rpsync_assets.resources import sftp", True),
        ("core", "from rpsync_assets.settings import Settings", True),
        ("resources", "import dagster", False),
    ],
)
def test_ruff_guards_the_wall_in_the_quiet_room_only(tmp_path: Path, room: str, line: str, refused: bool) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    assert ruff.exists(), "ruff is one of the dev tools that 'make test' installs"
    shutil.copy(PACKAGE.parent / "pyproject.toml", tmp_path)
    module = tmp_path / "rpsync_assets" / room / "intruder.py"
    module.parent.mkdir(parents=True)
    module.write_text(f"{line}\n")
    check = [str(ruff), "check", "--no-cache", "--output-format", "concise", "--select", "TID251", str(module)]
    found = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ("TID251" in found.stdout) is refused, found.stdout + found.stderr


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_every_module_says_what_belongs_in_it(module: Path) -> None:
    said = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    assert "elong" in said or module == PACKAGE / "__init__.py", f"{module} does not say what belongs there"
    assert said
