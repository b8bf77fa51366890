"""`primetime fleet`: mistakes in one sentence, the table of many boards, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_campaign import READ, Making, make_campaign

from primetime.cli import DONE, FAILED, INTERRUPTED, USER_MISTAKE, main
from primetime.cli.fleet import code_of, study_name, table
from primetime.errors import Interrupted, PrimetimeError, Unreachable, UserError

FLEET = '[devices.x86]\naddress = "127.0.0.1"\nport = 9\n[devices.pi4]\naddress = "127.0.0.1"\nport = 9\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.toml").write_text(FLEET)
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "said", "hint"),
    [
        (["run", "none.toml"], "there is no fleet file none.toml", "primetime lab up"),
        (["run", "--study", "quick", "--smoke", "none.toml"], "there is no fleet file none.toml", "primetime lab up"),
        (["run", "--study", "quik"], "there is no study 'quik'", "shipped studies"),
        (["run", "--device", "pi5"], "has no device 'pi5'", "x86, pi4"),
        (["resume"], "no device of this fleet was given a study", "primetime fleet run"),
        (["report"], "no campaign of this fleet is here yet", "primetime fleet run"),
        (["walk"], "invalid choice: 'walk'", "--help"),
    ],
)
def test_a_mistake_is_one_sentence_with_a_hint(
    argv: list[str], said: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fleet", *argv]) == USER_MISTAKE
    words = capsys.readouterr().err
    assert said in words
    assert hint in words.splitlines()[-1]


def examined(kind: str, state: str, reason: str = "", **facts: object) -> dict[str, object]:
    environment = {"kind": kind, "state": state, "reason": reason, "remedy": "apt-get install it" if reason else ""}
    return {"facts": facts, "environments": [environment]}


def test_boards_stand_side_by_side_with_reasons_below() -> None:
    words = table(
        {
            "x86": examined("qemu", "usable", **{"machine.kvm": True, "cpu.count": 1}),
            "pi4": {
                **examined("runc", "not usable", "runc is missing", **{"machine.kvm": False, "cpu.count": 4}),
                "controller_meter": "meter plug (shelly) shows 4.7 W",
            },
            "porch": Unreachable("porch does not answer"),
        }
    )
    lines = [line.split() for line in words.splitlines()]
    assert lines[0] == ["x86", "pi4"]
    assert ["machine.kvm", "yes", "no"] in lines
    assert ["qemu", "✓", "usable", "–"] in lines
    assert ["runc", "–", "✗", "not", "usable"] in lines
    assert "pi4 runc: runc is missing → apt-get install it" in words
    assert "pi4 meter plug (shelly) shows 4.7 W" in words


def test_exit_codes(tmp_path: Path) -> None:
    good = make_campaign(tmp_path / "good.sqlite", Making())
    bad = make_campaign(tmp_path / "bad.sqlite", Making(failing=frozenset({("native", READ.name, 2)})))
    mistake, gone = UserError("x"), Unreachable("x")
    assert code_of({"a": good}) == DONE
    assert code_of({"a": {"facts": {}}}) == DONE
    assert code_of({"a": bad}) == FAILED
    assert code_of({"a": good, "b": mistake}) == FAILED
    assert code_of({"a": gone}) == FAILED
    assert code_of({"a": mistake, "b": gone}) == FAILED
    assert code_of({"a": mistake, "b": mistake}) == USER_MISTAKE
    assert code_of({"a": good, "b": Interrupted("x")}) == INTERRUPTED
    assert code_of({"a": PrimetimeError("x")}) == FAILED


def test_boards_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", "doctor", "--json"]) == FAILED
    out, err = capsys.readouterr()
    assert {name: sorted(one) for name, one in json.loads(out).items()} == {
        "x86": ["error", "hint"],
        "pi4": ["error", "hint"],
    }
    assert "✗ x86" in err
    assert "does not answer" in err


def test_a_studys_name() -> None:
    assert study_name(None) == ""
    assert study_name("quick") == "quick"
    assert study_name("studies/my.toml") == "my"
