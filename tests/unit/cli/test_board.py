"""What `primetime fleet` asks of a board: the answer in one line, and the campaign behind it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from made_campaign import Making, make_campaign

from primetime.campaign.job import Job
from primetime.campaign.visits import count
from primetime.cli.board import visit
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.visit import answer_in, copy_rest
from primetime.host.facts import boot_id

X86 = FleetDevice("x86", "127.0.0.1")


def said(capfdbinary: pytest.CaptureFixture[bytes]) -> io.BytesIO:
    return io.BytesIO(capfdbinary.readouterr().out)


def test_a_controller_understands_a_board(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    campaign = make_campaign(tmp_path / "made.sqlite", Making(blocks=1))
    visit(Job(campaign), fetch=True)
    source = said(capfdbinary)
    answer = answer_in(X86, source)
    copy_rest(X86, source, tmp_path / "here", answer)
    assert answer["state"] == "stopped: blocks"
    assert answer["bytes"] == (tmp_path / "here").stat().st_size
    assert count(campaign) == 1, "the visit is noted"
    assert not Job(campaign).beside("copy").exists()


def test_a_board_that_was_given_nothing_says_so(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    visit(Job(tmp_path / "home" / "none.sqlite"), fetch=True)
    answer = answer_in(X86, said(capfdbinary))
    assert (answer["begun"], answer["running"], answer["bytes"]) == (False, False, 0)


def test_without_being_asked_nothing_is_sent(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    campaign = make_campaign(tmp_path / "made.sqlite", Making(blocks=1))
    visit(Job(campaign), fetch=False)
    assert len(said(capfdbinary).getvalue().splitlines()) == 1
    assert not Job(campaign).beside("copy").exists()


def test_a_copy_without_room_is_said_and_the_board_is_heard_at_once(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    campaign = make_campaign(tmp_path / "made.sqlite", Making(blocks=1))
    Job(campaign).beside("copy").mkdir()  # in the way of the copy
    (Job(campaign).beside("copy") / "x").touch()
    visit(Job(campaign), fetch=True)
    first, *rest = said(capfdbinary).getvalue().splitlines(keepends=True)
    answer = answer_in(X86, io.BytesIO(b"".join(rest)))
    assert not first.startswith(b"primetime-visit ")
    assert (answer["bytes"], answer["state"]) == (0, "stopped: blocks")
    assert "copy cannot be written" in answer["unsent"]


def test_the_clock_is_told_first_as_often_as_it_is_asked(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n"))
    campaign = make_campaign(tmp_path / "made.sqlite", Making(blocks=1))
    visit(Job(campaign), fetch=False, clock=True)
    lines = said(capfdbinary).getvalue().splitlines()
    told = [json.loads(line.removeprefix(b"primetime-clock ")) for line in lines[:2]]
    assert told[0][0] < told[1][0]
    assert told[0][1] == boot_id()
    assert answer_in(X86, io.BytesIO(b"\n".join(lines)))["state"] == "stopped: blocks"
