"""Who may import whom (design: the rooms), and that the measuring half needs the standard library only."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "primetime"
MAY_IMPORT: dict[str, set[str]] = {  # besides errors, model and itself
    "errors": set(),
    "model": set(),
    "intervals": set(),
    "host": set(),
    "workloads": set(),
    "store": set(),
    "images": {"host"},
    "instruments": {"host"},
    "environments": {"host", "images"},
    "campaign": {"host", "images", "environments", "workloads", "instruments", "store", "intervals"},
    "analysis": {"store", "intervals"},
    "report": {"analysis", "store", "intervals"},
    "fleet": {"host", "images", "instruments", "store"},
    "lab": {"host", "images"},
    "studies": set(),
}
FOR_ALL = {"errors", "model"}
WHOLE_PACKAGE = {"", "__version__"}  # `from primetime import __version__`
MEASURING = {
    "errors", "model", "intervals", "host", "images", "environments", "workloads", "instruments", "store", "campaign",
    "studies",
}  # fmt: skip
UNDERSTANDING = {"analysis", "report", "fleet", "lab"}  # what cli, which travels too, may only import when it is called
SUBPROCESS_DOOR = "host/process.py"
HANDED_OUT = {"Popen", "PIPE", "DEVNULL", "STDOUT", "TimeoutExpired"}
IN_THE_GUEST = "images/data/"  # runs inside, alone: it has no door to go through
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}


def room_of(relative: Path) -> str:
    """campaign/runner.py → campaign; errors.py → errors; __init__.py and __main__.py → cli."""
    first = relative.parts[0].removesuffix(".py")
    return "cli" if first in ("__init__", "__main__") else first


def imported(tree: ast.AST, package: str) -> Iterator[tuple[str, ast.stmt]]:
    """Yield every dotted name that is imported anywhere in the module, relative ones made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            name = ".".join(filter(None, (base, node.module or "")))
            if name == "primetime":
                yield from ((f"primetime.{alias.name}", node) for alias in node.names)
            else:
                yield name, node


def late(tree: ast.AST) -> set[int]:
    """Ids of nodes that do not run when the module is imported: in functions and under TYPE_CHECKING."""
    found: set[int] = set()
    for node in ast.walk(tree):
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.update(map(id, ast.walk(node)))
        elif typing_only:
            found.update(id(inner) for statement in node.body for inner in ast.walk(statement))
    return found


def complaint(room: str, name: str, is_late: bool) -> str:
    """Say what is wrong with one import; "" when nothing is."""
    parts = name.split(".")
    if parts[0] == "primetime":
        return complaint_about_room(room, parts[1] if len(parts) > 1 else "", is_late)
    outside = parts[0] not in sys.stdlib_module_names
    if outside and room == "cli" and not is_late:
        return f"cli imports {parts[0]} at import time, which is not in the standard library"
    if outside and room in MEASURING and not is_late:
        return f"{room} imports {parts[0]}, which is not in the standard library"
    return ""


def complaint_about_room(room: str, other: str, is_late: bool) -> str:
    """The same for an import of our own."""
    if other in WHOLE_PACKAGE or other == room or other in FOR_ALL:
        return ""
    if room == "cli":
        return f"cli imports {other} at import time" if other in UNDERSTANDING and not is_late else ""
    if other not in MAY_IMPORT.get(room, set()):
        return f"{room} imports {other}"
    return ""


def import_complaints(package: Path) -> list[str]:
    """A line "file:line: what is wrong" for every import against the table."""
    found = []
    for path, relative, tree in modules(package):
        room = room_of(relative)
        if room not in MAY_IMPORT and room != "cli":
            found.append(f"{path}:1: the design has no room {room}")
            continue
        dotted = ".".join(("primetime", *relative.parent.parts))
        not_yet = late(tree)
        for name, node in imported(tree, dotted):
            words = complaint(room, name, id(node) in not_yet)
            if words:
                found.append(f"{path}:{node.lineno}: {words}")
    return found


def door_complaints(package: Path) -> list[str]:
    """A line for every way to start a program that does not lead through the one door, and for every shell."""
    found = []
    for path, relative, tree in modules(package):
        place = relative.as_posix()
        if place.startswith(IN_THE_GUEST):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and is_shell(node):
                found.append(f"{path}:{node.lineno}: a shell, or past the door: {ast.unparse(node.func)}")
            elif place != SUBPROCESS_DOOR and opens_a_door(node):
                found.append(f"{path}:{getattr(node, 'lineno', 1)}: subprocess outside {SUBPROCESS_DOOR}")
    return found


def opens_a_door(node: ast.AST) -> bool:
    """Whether a node gets at what starts programs. What the door hands out may be named: its type and constants."""
    if isinstance(node, ast.Import):
        return any(alias.name == "subprocess" and alias.asname for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module == "subprocess"
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "subprocess.Popen"
    is_of_it = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "subprocess"
    return is_of_it and node.attr not in HANDED_OUT


def is_shell(call: ast.Call) -> bool:
    """Whether a call hands a string to a shell, or replaces this process or forks it past the door."""
    name = ast.unparse(call.func)
    shell = any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in call.keywords)
    return shell or name in SHELLS or name.startswith(("os.spawn", "os.exec", "os.posix_spawn"))


def modules(package: Path) -> Iterator[tuple[Path, Path, ast.Module]]:
    """Yield path, path below the package, and syntax tree of every module."""
    for path in sorted(package.rglob("*.py")):
        yield path, path.relative_to(package), ast.parse(path.read_text(encoding="utf-8"))


def test_imports_keep_to_the_table() -> None:
    assert import_complaints(PACKAGE) == []


def test_one_door_to_other_programs() -> None:
    assert door_complaints(PACKAGE) == []


def test_every_room_is_read() -> None:
    rooms = {room_of(relative) for _, relative, _ in modules(PACKAGE)}
    assert {"cli", "campaign", "environments", "analysis", "report", "store", "host", "model", "errors"} <= rooms


@pytest.mark.parametrize(
    ("file", "line", "words"),
    [
        ("workloads/bad.py", "from primetime.environments import kinds", "workloads imports environments"),
        ("workloads/bad.py", "from ..environments import kinds", "workloads imports environments"),
        ("environments/bad.py", "from primetime import campaign", "environments imports campaign"),
        ("instruments/bad.py", "import primetime.store.database", "instruments imports store"),
        ("analysis/bad.py", "from primetime.host.process import run", "analysis imports host"),
        ("model/bad.py", "from primetime.store import CampaignFile", "model imports store"),
        ("host/bad.py", "from primetime.cli import main", "host imports cli"),
        ("store/bad.py", "import numpy", "store imports numpy, which is not in the standard library"),
        ("cli/bad.py", "from primetime.analysis import analyse", "cli imports analysis at import time"),
        ("cli/bad.py", "import scipy", "cli imports scipy at import time, which is not in the standard library"),
        ("garage/bad.py", "import os", "the design has no room garage"),
    ],
)
def test_a_planted_import_is_caught(tmp_path: Path, file: str, line: str, words: str) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    lines_before = 0 if words.startswith("the design") else 2
    path.write_text('"""Bad."""\n' * lines_before + line + "\n")
    assert import_complaints(tmp_path) == [f"{path}:{lines_before + 1}: {words}"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cli/good.py", "def show():\n    from primetime.analysis import analyse\n"),
        ("instruments/good.py", "def read():\n    import smbus2\n"),
        ("environments/good.py", "from primetime.images.guest import GuestImages\nfrom . import base\n"),
        ("analysis/good.py", "import numpy\nfrom primetime.store import CampaignFile\n"),
        ("host/good.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pyarrow\n"),
    ],
)
def test_what_the_table_allows_is_allowed(tmp_path: Path, file: str, text: str) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(text)
    assert import_complaints(tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        "import subprocess as door",
        "from subprocess import run",
        "subprocess.run(['ls'])",
        "subprocess.Popen(['ls'])",
        "start = subprocess.check_output",
        "os.system('ls')",
        "run(['ls'], shell=True)",
        "os.execv(a, b)",
    ],
)
def test_a_planted_way_around_the_door_is_caught(tmp_path: Path, line: str) -> None:
    path = tmp_path / "host" / "bad.py"
    path.parent.mkdir()
    path.write_text(line + "\n")
    [found] = door_complaints(tmp_path)
    assert found.startswith(f"{path}:1: ")
