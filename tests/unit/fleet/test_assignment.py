"""What a controller remembers of every board."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from primetime.campaign.study_file import load_study
from primetime.errors import UserError
from primetime.fleet.assignment import as_it_is_now, assign, assignments, free, latest, recall, remember
from primetime.fleet.fleet_file import FleetDevice
from primetime.store.resolved import study_from_json

X86 = FleetDevice("x86", "127.0.0.1", volume="/mnt/card")
PI4 = FleetDevice("pi4", "127.0.0.2")
FIRST, LATER = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_board_gets_the_study_on_its_own_volume() -> None:
    given = assign(X86, load_study("quick"), FIRST)
    assert given.name == "quick-20260102T030405Z"
    assert given.campaign == Path("runs/x86-quick-20260102T030405Z.sqlite")
    assert study_from_json(given.study).volume.path == "/mnt/card"
    assert recall(given.record) == given


def test_a_board_has_one_unfinished_campaign_at_most() -> None:
    given = assign(X86, load_study("quick"), FIRST)
    with pytest.raises(UserError, match="not finished: quick-2026") as caught:
        free(["pi4", "x86"])
    assert "primetime fleet resume" in caught.value.hint
    assert str(given.record) in caught.value.hint
    remember(replace(given, finished=True))
    free(["pi4", "x86"])


def test_the_newest_of_each_device_and_study() -> None:
    quick = load_study("quick")
    assign(X86, quick, FIRST)
    newer = assign(X86, quick, LATER)
    other = assign(X86, replace(quick, name="another"), FIRST)
    pi4 = assign(PI4, quick, FIRST)
    assert latest(["x86", "pi4", "none"], "quick") == [newer, pi4]
    assert latest(["x86"], "another") == [other]
    assert latest(["x86"], "")[0] == newer


def test_what_is_half_written_is_not_there() -> None:
    given = assign(X86, load_study("quick"), FIRST)
    given.record.with_name(f".{given.record.name}.part").write_text("{")
    assert assignments("x86") == [given]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"device": "x86", "command": 3}'])
def test_a_file_that_is_not_ours_is_named(text: str) -> None:
    given = assign(X86, load_study("quick"), FIRST)
    given.record.write_text(text)
    with pytest.raises(UserError, match="is not what primetime fleet wrote") as caught:
        assignments("x86")
    assert caught.value.hint.endswith(f"rm {given.record}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("next_visit", "soon"), ("next_visit", None), ("next_visit", 1e300), ("next_visit", -1), ("name", 5),
        ("device", []), ("device", "pi4"), ("command", [1, 2]), ("finished", "yes"), ("study", {}),
    ],
)  # fmt: skip
def test_values_that_we_would_not_have_written(key: str, value: object) -> None:
    given = assign(X86, load_study("quick"), FIRST)
    given.record.write_text(json.dumps({**json.loads(given.record.read_text()), key: value}))
    with pytest.raises(UserError, match="is not what primetime fleet wrote"):
        recall(given.record)


def test_a_volume_may_be_corrected_until_something_has_begun() -> None:
    given = assign(X86, load_study("quick"), FIRST)
    corrected = as_it_is_now(given, replace(X86, volume="/mnt/ssd"))
    assert study_from_json(corrected.study).volume.path == "/mnt/ssd"
    assert recall(given.record) == corrected
    begun = remember(replace(corrected, state="running"))
    assert as_it_is_now(begun, X86) == begun


def test_a_report_is_of_what_has_come_home() -> None:
    older = assign(X86, load_study("quick"), FIRST)
    older.campaign.write_bytes(b"a campaign")
    newer = assign(X86, load_study("quick"), LATER)
    assert latest(["x86"], "quick") == [newer]
    assert latest(["x86"], "quick", here=True) == [older]


def test_everything_is_remembered() -> None:
    given = assign(X86, load_study("quick"), FIRST)
    full = replace(given, command=("sudo", "python3"), next_visit=12.5, state="running", finished=True)
    remember(full)
    assert recall(full.record) == full
    assert json.loads(full.record.read_text())["command"] == ["sudo", "python3"]
