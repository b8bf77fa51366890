"""The verb `lab`, as far as no board has to run for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from primetime.cli import DONE, USER_MISTAKE, main
from primetime.cli.lab import own_option
from primetime.errors import UserError
from primetime.lab.board import ROOT_VARIABLE


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab with one board of which little is left; the default one is another, and empty."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "default"))
    root = tmp_path / "lab"
    (root / "x86").mkdir(parents=True)
    (root / "x86/board.json").write_text(json.dumps({"profile": "x86", "port": 20001, "recipe": ""}))
    return root


@pytest.mark.parametrize("form", [["x86", "--lab", "{}"], ["x86", "--lab={}"], ["--lab", "{}", "x86"]])
def test_ssh_takes_its_own_option_on_either_side_of_the_profile(
    lab: Path, form: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(lab) for word in form]
    assert main(["lab", "ssh", *words, "--", "uname", "-a"]) == USER_MISTAKE
    said = capsys.readouterr().err
    assert "x86 is not up" in said
    assert f"hint: primetime lab up --lab {lab} x86" in said


def test_what_is_the_boards_stays_the_boards() -> None:
    assert own_option(None, ["--lab", "/l", "uname", "--lab", "/m"]) == (Path("/l"), ["uname", "--lab", "/m"])
    assert own_option(None, ["--", "--lab", "/m"]) == (None, ["--lab", "/m"])
    assert own_option(Path("/l"), ["--label"]) == (Path("/l"), ["--label"])
    for command in (["--lab"], ["--lab="]):
        with pytest.raises(UserError, match="--lab needs a directory"):
            own_option(None, command)


def test_the_list_shows_a_damaged_board_and_all_others(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "list", "--lab", str(lab)]) == DONE
    lines = {words[0]: words[1] for words in map(str.split, capsys.readouterr().out.splitlines())}
    assert lines == {"pi4": "none", "pi8": "none", "nano2": "none", "nano4": "none", "x86": "damaged"}
