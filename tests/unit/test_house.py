"""The size and form of the code: modules, functions, parameters, annotations; and what may not stand in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "primetime"
MODULE_LINES, FUNCTION_LINES, PARAMETERS = 300, 40, 5
VAGUE = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}
SPEAKING = ("cli/", "report/", "images/data/")  # rooms that may print; the last runs in the guest
EXITING = ("cli/", "__main__.py", "images/data/")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield every function and method, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def parameters(function: Function) -> list[ast.arg]:
    """All parameters but self and cls."""
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    more = [one for one in (function.args.vararg, function.args.kwarg) if one is not None]
    first_is_own = bool(named) and named[0].arg in ("self", "cls") and named[0].annotation is None
    return [*named[1 if first_is_own else 0 :], *more]


def size_complaints(package: Path) -> list[str]:
    """A line for everything that is too long or takes too much."""
    found = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        count = len(text.splitlines())
        if count > MODULE_LINES:
            found.append(f"{path}:{MODULE_LINES + 1}: a module of {count} lines")
        for function in functions(ast.parse(text)):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > FUNCTION_LINES:
                found.append(f"{path}:{function.lineno}: {function.name} has {lines} lines")
            if len(parameters(function)) > PARAMETERS:
                found.append(f"{path}:{function.lineno}: {function.name} has {len(parameters(function))} parameters")
    return found


def annotation_complaints(package: Path) -> list[str]:
    """A line for every parameter and result without a type."""
    found = []
    for path in sorted(package.rglob("*.py")):
        for function in functions(ast.parse(path.read_text(encoding="utf-8"))):
            bare = [one.arg for one in parameters(function) if one.annotation is None]
            if function.returns is None:
                bare.append("its result")
            found.extend(f"{path}:{function.lineno}: {function.name}: {what} has no type" for what in bare)
    return found


def manner_complaints(package: Path) -> list[str]:
    """A line for vague names, printing and exiting in the wrong room, atexit, and swallowed exceptions."""
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).as_posix()
        if path.stem in VAGUE:
            found.append(f"{path}:1: a vague name")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            words = ill_mannered(node, place)
            if words:
                found.append(f"{path}:{getattr(node, 'lineno', 1)}: {words}")
    return found


def ill_mannered(node: ast.AST, place: str) -> str:
    """Say what is wrong with one node; "" when nothing is."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name == "print" and not place.startswith(SPEAKING):
            return "print outside cli and report"
        if name in ("sys.exit", "exit", "quit", "os._exit") and not place.startswith(EXITING):
            return f"{name} outside cli"
        if name.startswith("atexit."):
            return "atexit"
    if isinstance(node, ast.ExceptHandler):
        caught = "" if node.type is None else ast.unparse(node.type)
        silent = all(isinstance(statement, ast.Pass) for statement in node.body)
        if not caught or (silent and caught in ("Exception", "BaseException")):
            return f"except {caught}: swallows our bugs".replace("except :", "except:")
    return ""


def test_sizes() -> None:
    assert size_complaints(PACKAGE) == []


def test_everything_has_a_type() -> None:
    assert annotation_complaints(PACKAGE) == []


def test_manners() -> None:
    assert manner_complaints(PACKAGE) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n" * 301, "301: a module of 301 lines"),
        ("def f() -> None:\n" + "    x = 1\n" * 40, "1: f has 41 lines"),
        ("def f(a: int, b: int, c: int, d: int, e: int, *f: int) -> None: ...", "1: f has 6 parameters"),
        ("class C:\n    def f(self, a: int, b: int, c: int, d: int, e: int, *, g: int) -> None: ...", "2: f has 6"),
    ],
)
def test_what_is_too_large_is_caught(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "large.py"
    path.write_text(text)
    [found] = size_complaints(tmp_path)
    assert found.startswith(f"{path}:{words}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(a) -> None: ...", "1: f: a has no type"),
        ("def f(*, a: int): ...", "1: f: its result has no type"),
        ("class C:\n    def f(self, b) -> None: ...", "2: f: b has no type"),
        ("def outer() -> None:\n    def f(**more) -> None: ...", "2: f: more has no type"),
    ],
)
def test_what_has_no_type_is_caught(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bare.py"
    path.write_text(text)
    assert annotation_complaints(tmp_path) == [f"{path}:{words}"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("utils.py", "", "1: a vague name"),
        ("speaks.py", "print(1)", "1: print outside cli and report"),
        ("ends.py", "import sys\nsys.exit(1)", "2: sys.exit outside cli"),
        ("late.py", "import atexit\natexit.register(print)", "2: atexit"),
        ("quiet.py", "try:\n    x = 1\nexcept Exception:\n    pass", "3: except Exception: swallows our bugs"),
        ("blind.py", "try:\n    x = 1\nexcept:\n    y = 1", "3: except: swallows our bugs"),
    ],
)
def test_bad_manners_are_caught(tmp_path: Path, name: str, text: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert manner_complaints(tmp_path) == [f"{path}:{words}"]
