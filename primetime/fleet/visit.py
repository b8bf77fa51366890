"""A visit: ask a board how its campaign stands, and bring a copy of it home, checked and whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from primetime.errors import CommandTimeout, Unreachable
from primetime.fleet.assignment import Assignment, directory, remember
from primetime.fleet.attending import Attending
from primetime.fleet.board import HOME
from primetime.fleet.board_clock import ask_clock
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.ssh import Ssh
from primetime.store import give_to_user
from primetime.store.database import make_directory

SLACK_S = 3.0  # we come a little later than announced: too early would be inside a window
FIRST_WORD_S = 300.0  # until a board that lets us in says anything; one with dead storage never does
VISIT_LIMIT_S = 900.0  # while it measures: its runner waits no longer either (campaign/visits.py)
FETCH_LIMIT_S = 7200.0  # once it does not
MARK = b"primetime-visit "
FETCHING = ".fetching-"
CHUNK = 1 << 20

Answer = dict[str, Any]  # see campaign/job.py: Standing; "bytes", "sha256", "unsent": see cli/board.py


def visit(device: FleetDevice, given: Assignment, how: Attending) -> Answer:
    """Ask how it stands; the campaign, where the board sends it, replaces our copy as a whole.

    Raises Unreachable, CommandFailed, CommandTimeout, Interrupted.
    """
    own = directory(device.name)
    make_directory(own)
    for left in own.glob(f"{FETCHING}*"):  # by a controller that was killed; we hold the device's lock
        shutil.rmtree(left)
    there = str(given.there(HOME))
    with tempfile.TemporaryDirectory(dir=own, prefix=FETCHING) as directory_:
        give_to_user(Path(directory_))
        stream = Path(directory_, "stream")
        try:
            with stream.open("wb") as out:
                receive(device, [*given.command, "board", "visit", there, "--fetch"], out, how)
            with stream.open("rb") as lines:
                answer = answer_in(device, lines)
                if answer["bytes"]:
                    copy = Path(directory_, given.campaign.name)
                    copy_rest(device, lines, copy, answer)
                    how.arrived(given, copy)
                    copy.rename(given.campaign)
                    give_to_user(given.campaign)
        except (Unreachable, CommandTimeout):
            keep_announcement(device, given, stream)
            raise
    return answer


def keep_announcement(device: FleetDevice, given: Assignment, stream: Path) -> None:
    """Of a visit that was cut off, remember when to come again: sooner might be inside a window."""
    with stream.open("rb") as lines, suppress(Unreachable, ValueError, KeyError):
        answer = answer_in(device, lines)
        if answer["running"]:
            remember(replace(given, next_visit=time.time() + answer["next_s"] + SLACK_S))


def receive(device: FleetDevice, ask: Sequence[str], out: IO[bytes], how: Attending) -> None:
    """Visit; where we record a meter of the board, look at the board's clock first, on the same connection."""
    ssh, meter = Ssh(device, pause=how.pause), how.meter

    def limit_s() -> float:
        with suppress(OSError):  # of a full disk, whoever writes hears it too
            out.flush()
            return visit_limit_s(device, Path(out.name))
        return VISIT_LIMIT_S

    if meter is None:
        ssh.receive(ask, out, limit_s)
        return

    def look(to: IO[bytes], answers: IO[bytes]) -> None:
        seen = ask_clock(to, answers)
        if seen is not None:
            meter.note_clock(seen)

    ssh.receive([*ask, "--clock"], out, limit_s, look)


def visit_limit_s(device: FleetDevice, stream: Path) -> float:
    """How long a visit may take by what the board has said so far: one that does not measure is not disturbed."""
    if not stream.stat().st_size:
        return FIRST_WORD_S
    with stream.open("rb") as lines, suppress(Unreachable, ValueError, KeyError):
        return VISIT_LIMIT_S if answer_in(device, lines)["running"] else FETCH_LIMIT_S
    return VISIT_LIMIT_S


def answer_in(device: FleetDevice, lines: IO[bytes]) -> Answer:
    """Find the answer behind what a login shell may have said."""
    for line in lines:
        if line.startswith(MARK):
            answer: Answer = json.loads(line.removeprefix(MARK))
            return answer
    raise Unreachable(f"{device.name} was cut off before it answered")


def copy_rest(device: FleetDevice, source: IO[bytes], copy: Path, answer: Answer) -> None:
    """Write what follows the answer to a file. Unreachable when it is not all there."""
    digest = sha256()
    with copy.open("wb") as out:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != answer["sha256"]:
        raise Unreachable(f"{device.name} was cut off while it sent its campaign")
