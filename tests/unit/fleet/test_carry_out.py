"""What a controller makes of what a board says."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from primetime.campaign.signals import interruptible
from primetime.campaign.study_file import load_study
from primetime.errors import PrimetimeError, Unreachable, UserError
from primetime.fleet.assignment import Assignment, assign, recall, remember
from primetime.fleet.attending import Attending
from primetime.fleet.carry_out import FIRST_WAITS, WAITS, carry_out, failure, last_words, note
from primetime.fleet.examine import examined
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.pause import Pause
from primetime.fleet.together import together
from primetime.fleet.visit import (
    FETCH_LIMIT_S,
    FIRST_WORD_S,
    VISIT_LIMIT_S,
    Answer,
    answer_in,
    copy_rest,
    keep_announcement,
    visit_limit_s,
)
from primetime.fleet.writing import writing_here
from primetime.host.process import find_program

X86 = FleetDevice("x86", "127.0.0.1")
PI4 = FleetDevice("pi4", "127.0.0.2")
CONTENT = b"SQLite format 3\0" + bytes(range(256)) * 9000


def stream(content: bytes, sent: bytes) -> io.BytesIO:
    answer = {"running": True, "bytes": len(content), "sha256": sha256(content).hexdigest()}
    return io.BytesIO(b"Welcome to porch!\nprimetime-visit " + json.dumps(answer).encode() + b"\n" + sent)


def test_an_answer_and_a_campaign_behind_a_login_shells_noise(tmp_path: Path) -> None:
    source = stream(CONTENT, CONTENT)
    answer = answer_in(X86, source)
    copy_rest(X86, source, tmp_path / "copy", answer)
    assert answer["running"]
    assert (tmp_path / "copy").read_bytes() == CONTENT


def test_a_campaign_that_was_cut_off_is_none(tmp_path: Path) -> None:
    source = stream(CONTENT, CONTENT[:-1])
    with pytest.raises(Unreachable, match="cut off while it sent"):
        copy_rest(X86, source, tmp_path / "copy", answer_in(X86, source))


def test_no_answer_at_all() -> None:
    with pytest.raises(Unreachable, match="cut off before it answered"):
        answer_in(X86, io.BytesIO(b"Welcome to porch!\n"))


LOG = """· trying qemu
campaign x.sqlite: study quick
primetime: this device is busy: process 7 is measuring (quick)
  hint: wait for it
"""


def test_the_last_sentence_of_a_log_with_its_hint() -> None:
    assert last_words(LOG) == ("this device is busy: process 7 is measuring (quick)", "wait for it")
    assert last_words(f"{LOG}primetime: the disk is full\n") == ("the disk is full", "")
    assert last_words("Traceback:\n  ValueError: x\n\n") == ("  ValueError: x", "")
    assert last_words("") == ("it said nothing", "")


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (2, UserError, "x86: this device is busy"),
        (1, PrimetimeError, "ended with exit code 1"),
        (130, PrimetimeError, "ended with exit code 130"),
        (None, PrimetimeError, "died each time"),
    ],
)
def test_a_run_that_did_not_finish(code: int | None, kind: type[PrimetimeError], words: str) -> None:
    found: Answer = {"exit_code": code, "said": LOG}
    error = failure(X86, found)
    assert type(error) is kind
    assert words in error.message


def test_a_board_that_starts_and_cannot_be_visited() -> None:
    assert "cannot be visited: the disk is full" in failure(X86, {"refused": "the disk is full"}).message
    assert "died each time (it said nothing)" in failure(X86, {}).message


class Hasty(Pause):
    """A pause that lasts no time and keeps what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def __call__(self, seconds: float) -> None:
        if seconds > 0.0:
            self.asked.append(seconds)


DEAD = FleetDevice("dead", "127.0.0.1", port=1)  # nothing listens there


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Assignment:
    monkeypatch.chdir(tmp_path)
    return assign(DEAD, load_study("quick"), datetime(2026, 11, 26, tzinfo=UTC))


@pytest.mark.skipif(find_program("ssh") is None, reason="there is no ssh here")
@pytest.mark.parametrize(("command", "waits"), [((), FIRST_WAITS), (("python3", "/x.pyz"), WAITS)])
def test_a_board_that_does_not_answer(command: tuple[str, ...], waits: tuple[float, ...], given: Assignment) -> None:
    """One that was given nothing is given up soon; one that measures is waited for, and its meter is recorded."""
    remember(replace(given, command=command))
    pause, said = Hasty(), list[str]()
    with pytest.raises(Unreachable, match=r"dead does not answer: .*refused") as caught:
        carry_out(DEAD, given, Attending(said.append, pause))
    assert pause.asked == list(waits)
    assert said[-1].endswith(f"trying again in {waits[-1]:.0f} s")
    assert ("goes on: primetime fleet resume" in caught.value.message) == bool(command)


def test_a_campaign_that_cannot_be_written_here(given: Assignment, tmp_path: Path) -> None:
    """It is that board's failure: the other one is seen through."""
    shutil.rmtree(tmp_path / "runs/fleet/dead")
    (tmp_path / "runs/fleet/dead").write_text("in the way")
    other = FleetDevice("other", "127.0.0.1")

    def work(device: FleetDevice, given: Assignment) -> str:
        return str(carry_out(device, given, Attending(print, Hasty()))) if device is DEAD else "seen through"

    found = together([(DEAD, given), (other, given)], work, Pause())
    assert isinstance(found["dead"], UserError)
    assert found["other"] == "seen through"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said(code: int) -> None:
    words = f"dead: nothing can be written here.*{os.strerror(code)}"
    with pytest.raises(UserError, match=words) as caught, writing_here(DEAD):
        raise OSError(code, os.strerror(code))
    assert caught.value.hint.startswith("make room")


def test_a_full_disk_under_sqlite_is_said_and_a_bug_stays_one(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as sql:
        sql.execute("PRAGMA max_page_count = 1")
        with pytest.raises(UserError, match=r"nothing can be written here.*disk is full"), writing_here(DEAD):
            sql.execute("CREATE TABLE too_much AS SELECT zeroblob(1000000)")
        with pytest.raises(sqlite3.OperationalError, match="no such column"), writing_here(DEAD):
            sql.execute("SELECT t9 FROM sqlite_master")
        with pytest.raises(BlockingIOError), writing_here(DEAD):
            raise BlockingIOError(errno.EAGAIN, "a bug")


ENDED: Answer = {
    "running": False, "exit_code": 0, "state": "stopped: blocks", "stage": "", "next_s": 0.0, "done": 4, "planned": 4,
    "left": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "finished"),
    [
        ({}, True),
        ({"exit_code": 1}, True),
        ({"exit_code": 1, "left": 3}, False),
        ({"exit_code": None}, False),
        ({"state": "running"}, False),
        ({"running": True}, False),
    ],
)
def test_finished_is_what_has_put_back_all_that_it_changed(changed: Answer, finished: bool, given: Assignment) -> None:
    assert note(given, {**ENDED, **changed}, Attending(print, Hasty())).finished is finished


def test_a_long_visit_disturbs_only_a_board_that_measures(tmp_path: Path) -> None:
    sent = tmp_path / "stream"
    said = {
        b"": FIRST_WORD_S,
        b"Welcome to porch!\n": VISIT_LIMIT_S,
        b'Welcome to porch!\nprimetime-visit {"running": tr': VISIT_LIMIT_S,
        b'primetime-visit {"running": true}\nSQLite': VISIT_LIMIT_S,
        b'primetime-visit {"running": false}\nSQLite': FETCH_LIMIT_S,
    }
    for words, limit_s in said.items():
        sent.write_bytes(words)
        assert visit_limit_s(X86, sent) == limit_s, words


def test_a_visit_that_is_cut_off_is_not_repeated_inside_a_window(given: Assignment, tmp_path: Path) -> None:
    sent = tmp_path / "stream"
    sent.write_bytes(b'primetime-visit {"running": true, "next_s": 1e6}\nSQLi')
    before = time.time()
    keep_announcement(DEAD, given, sent)
    assert recall(given.record).next_visit >= before + 1e6
    sent.write_bytes(b'primetime-visit {"runn')
    remember(given)
    keep_announcement(DEAD, given, sent)
    assert recall(given.record).next_visit == 0.0


def test_doctors_answer_behind_noise() -> None:
    assert examined(X86, 'Welcome!\n{\n "facts": {},\n "environments": []\n}\n') == {"facts": {}, "environments": []}
    with pytest.raises(PrimetimeError, match="x86: doctor's answer cannot be read"):
        examined(X86, "Welcome!\n")


def test_one_boards_failure_is_no_others() -> None:
    def work(device: FleetDevice, given: int) -> int:
        if device is PI4:
            raise Unreachable("pi4 does not answer")
        return given + 1

    found = together([(PI4, 1), (X86, 2)], work, Pause())
    assert list(found) == ["pi4", "x86"]
    assert isinstance(found["pi4"], Unreachable)
    assert found["x86"] == 3


def test_boards_do_not_wait_for_each_other() -> None:
    meeting = threading.Barrier(2, timeout=10)
    found = together([(PI4, 1), (X86, 2)], lambda device, given: meeting.wait() >= 0, Pause())
    assert found == {"pi4": True, "x86": True}


def test_our_own_bug_is_not_a_boards_failure_and_ends_every_wait() -> None:
    pause = Pause()

    def work(device: FleetDevice, given: int) -> None:
        if device is PI4:
            raise ValueError("a bug")
        pause(30.0)

    with pytest.raises(ValueError, match="a bug"):
        together([(PI4, 1), (X86, 2)], work, pause)


def test_a_signal_ends_every_wait() -> None:
    pause = Pause("they go on")
    waiting = threading.Barrier(3, timeout=10)

    def work(device: FleetDevice, given: int) -> None:
        waiting.wait()
        pause(30.0)

    def terminate() -> None:
        waiting.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate).start()
    with interruptible():
        found = together([(PI4, 1), (X86, 2)], work, pause)
    assert [str(one) for one in found.values()] == ["they go on", "they go on"]
