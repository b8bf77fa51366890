"""What a controller makes of what a board says."""

from __future__ import annotations

import io
import json
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from primetime.errors import Interrupted, PrimetimeError, Unreachable, UserError
from primetime.fleet.carry_out import Answer, Pause, answer_in, copy_rest, failure, last_words
from primetime.fleet.examine import examined
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.together import together

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
        pause(600.0)

    with pytest.raises(ValueError, match="a bug"):
        together([(PI4, 1), (X86, 2)], work, pause)


def test_a_pause_can_be_called_off() -> None:
    pause = Pause()
    threading.Timer(0.05, pause.called_off.set).start()
    with pytest.raises(Interrupted, match="primetime fleet resume"):
        pause(600.0)
    Pause()(-1.0)
