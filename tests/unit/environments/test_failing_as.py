"""Only a step of the boot is named as what failed, never what happens while the environment is up."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from primetime import environments
from primetime.environments.base import failing_as

MODULES = sorted(Path(environments.__file__).parent.glob("*.py"))


def named_steps(tree: ast.AST) -> list[ast.With]:
    """The blocks that name a step."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With)]
    return [node for node in blocks if any(failing_as.__name__ in ast.unparse(item) for item in node.items)]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_no_step_lasts_as_long_as_the_environment(module: Path) -> None:
    for block in named_steps(ast.parse(module.read_text(encoding="utf-8"))):
        lasting = [node.lineno for node in ast.walk(block) if isinstance(node, ast.Yield | ast.YieldFrom)]
        assert not lasting, f"{module.name}:{lasting[0]} yields inside {failing_as.__name__}"


def test_there_are_steps_to_look_at() -> None:
    assert sum(len(named_steps(ast.parse(module.read_text(encoding="utf-8")))) for module in MODULES) > 5
