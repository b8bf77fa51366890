"""`bundle` writes one file that starts without anything installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from primetime.cli import DONE, main


def test_it_says_what_it_wrote_and_that_runs_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "primetime.pyz"
    assert main(["bundle", "-o", str(path)]) == DONE
    assert capsys.readouterr().out == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}\n"
    argv = [sys.executable, "-I", "-S", str(path), "plan", "quick", "--seed", "1"]
    alone = subprocess.run(argv, capture_output=True, check=True, timeout=20, cwd=tmp_path).stdout.decode()
    main(["plan", "quick", "--seed", "1"])
    assert alone == capsys.readouterr().out
