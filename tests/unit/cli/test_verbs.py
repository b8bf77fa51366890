"""What every verb has in common: help, exit codes, mistakes in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from primetime.cli import DONE, USER_MISTAKE, VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == DONE
    assert capsys.readouterr().out.startswith(f"usage: primetime {verb}")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["plan"], "required: study"),
        (["plan", "no-such-study"], "there is no study 'no-such-study'"),
        (["plan", "quick", "--sed", "x"], "--sed"),
        (["plan", "quick", "--seed", "x"], "invalid int value"),
        (["paln", "quick"], "invalid choice: 'paln'"),
        (["report", "no-such.sqlite"], "no-such.sqlite"),
        (["watch", "no-such.sqlite"], "no-such.sqlite"),
        (["bundle", "-o", "no/such/place/primetime.pyz"], "cannot be written"),
    ],
)
def test_a_mistake_is_one_sentence_with_a_hint(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == USER_MISTAKE
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == ""
    assert first.startswith("primetime: ")
    assert said in first
    assert second.startswith("  hint: ")


def test_a_reader_that_goes_away_is_no_error() -> None:
    argv = [sys.executable, "-m", "primetime", "plan", "quick", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(20) == DONE


def test_names_from_a_file_are_not_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.toml"
    path.write_text('[environments."../../etc"]\nkind = "native"\n[[points]]\nworkload = "idle"\n')
    assert main(["plan", os.fspath(path)]) == USER_MISTAKE
    assert "a label may hold letters" in capsys.readouterr().err


def test_version() -> None:
    argv = [sys.executable, "-m", "primetime", "--version"]
    said = subprocess.run(argv, capture_output=True, check=True, timeout=20).stdout.decode()
    assert re.fullmatch(r"primetime \d+\.\d+\.\d+\n", said)
