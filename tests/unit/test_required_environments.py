"""A skip of a required environment fails the session: tried on sessions of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
HEAD = """
import pytest
kinds = pytest.mark.parametrize("kind", ["native", "runc"])
needed = pytest.mark.required_environment
"""
PASSED, FAILED = 0, 1


def session(directory: Path, body: str, *options: str) -> tuple[int, str]:
    """Run pytest on one file; return its exit code and what it said."""
    shutil.copy(CONFTEST, directory)
    (directory / "test_it.py").write_text(HEAD + body)
    (directory / "pytest.ini").write_text("[pytest]\nmarkers =\n    required_environment: x\n")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(directory)]
    ended = subprocess.run(argv, capture_output=True, timeout=60, cwd=directory, check=False)
    return ended.returncode, ended.stdout.decode()


@pytest.mark.parametrize(
    ("body", "options", "code", "said"),
    [
        ("@needed\n@kinds\ndef test(kind): pass\n", ["--must-run", "native,runc"], PASSED, "2 passed"),
        ("@needed\n@kinds\ndef test(kind): pass\n", ["--must-run", "qemu"], FAILED, "qemu: no test of this"),
        ("@needed\n@kinds\ndef test(kind): pytest.skip('none here')\n", [], FAILED, "[runc]: Skipped: none here"),
        ("@needed\n@pytest.mark.skip(reason='no root')\ndef test(): pass\n", [], FAILED, "Skipped: no root"),
        ("def test(): pytest.skip('may be')\n", [], PASSED, "1 skipped"),
        ("def test(): pass\n", ["--must-run", "native"], FAILED, "native: no test of this environment passed"),
        ("@needed\n@kinds\ndef test(kind): pass\n", ["--collect-only", "--must-run", "qemu"], PASSED, "2 tests"),
    ],
)  # fmt: skip
def test_sessions(tmp_path: Path, body: str, options: list[str], code: int, said: str) -> None:
    ended, words = session(tmp_path, body, *options)
    assert said in words
    assert ended == code


def test_a_set_up_that_fails_is_named(tmp_path: Path) -> None:
    body = "@pytest.fixture\ndef broken(): raise OSError\n@needed\ndef test(broken): pass\n"
    code, words = session(tmp_path, body)
    assert code == FAILED
    assert "::test: its set-up failed" in words
