"""What every verb has in common: help, exit codes, mistakes in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from primetime.campaign.study_file import load_study
from primetime.campaign.whose import this_device
from primetime.cli import DONE, INTERRUPTED, USER_MISTAKE, VERBS, main
from primetime.cli.ending import resumable
from primetime.cli.watch import going_on
from primetime.errors import Interrupted
from primetime.store import CampaignFile


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
        (["plan", "quick", "--seed", str(10**22)], "does not fit in 64 bits"),
        (["plan", "x" * 300], "file name too long"),
        (["watch", "x" * 300], "file name too long"),
        (["check", "x" * 300], "file name too long"),
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


@pytest.mark.parametrize("argv", [["plan", "quick"], ["plan", "quick", "--json"], ["--help"], ["run", "--help"]])
def test_an_output_without_room_is_a_sentence(argv: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "primetime", *argv], stdout=full, stderr=subprocess.PIPE, timeout=20, check=False
        )
    assert ended.returncode == USER_MISTAKE
    first, second = ended.stderr.decode().splitlines()
    assert first == "primetime: its output cannot be written: no space left on device"
    assert second.startswith("  hint: ")


def test_a_mistake_is_told_also_where_the_output_has_no_room() -> None:
    argv = [sys.executable, "-m", "primetime", "plan", "no-such-study"]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, timeout=20, check=False)
    assert ended.returncode == USER_MISTAKE
    assert b"there is no study" in ended.stderr


def test_a_failure_of_ours_is_no_trouble_of_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(arguments: list[str]) -> int:
        raise OSError(5, str(arguments))

    monkeypatch.setattr("primetime.cli.dispatch", broken)
    with pytest.raises(OSError, match="quick"):
        main(["plan", "quick"])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("")])
def test_an_interruption_without_words_ends_without_a_colon(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr("primetime.cli.dispatch", interrupted)
    assert main(["watch", "some.sqlite"]) == INTERRUPTED
    assert capsys.readouterr().err == "primetime: interrupted\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("stopped by SIGINT")])
def test_an_interruption_names_the_campaign_that_is_there(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    for hint in ("", f"go on with: primetime resume {path}"):
        with pytest.raises(Interrupted) as raised, resumable(path):
            raise error
        assert (raised.value.hint, str(raised.value)) == (hint, str(error))
        path.touch()


def test_watch_sends_nobody_to_resume_another_devices_campaign(tmp_path: Path) -> None:
    other, own = tmp_path / "other.sqlite", tmp_path / "own.sqlite"
    with CampaignFile.create(other, load_study("quick"), 1, "x86") as campaign:
        said = going_on(campaign)
    assert said.startswith("it is another device's; go on with it on x86; a fleet's: primetime fleet resume")
    assert f"hostname x86, then: primetime resume {other}" in said
    with CampaignFile.create(own, load_study("quick"), 1, this_device()) as campaign:
        assert going_on(campaign) == f"go on with: primetime resume {own}"
