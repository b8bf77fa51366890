"""The unit of work: one plain idempotent function from (device, assignment) to a campaign file here.

It may be killed and called again at any moment: what is pushed is known by its hash, what runs on the board holds
a lock there, and what a campaign has finished is never measured again. So a scheduler of any kind can call it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from primetime.errors import CommandFailed, CommandTimeout, PrimetimeError, Unreachable, UserError
from primetime.fleet.assignment import Assignment, directory, recall, remember
from primetime.fleet.board import HOME, open_board, prepare
from primetime.fleet.board_clock import ask_clock
from primetime.fleet.controller_meter import ControllerMeter, metered
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.pause import Pause
from primetime.fleet.ssh import Ssh
from primetime.host.lock import device_lock
from primetime.model import CampaignState
from primetime.store import give_to_user
from primetime.store.database import make_directory

OPEN_S = 20.0  # how long the board holds a visiting interval open beyond the time it announced
LOGINS = 3  # or, on a slow board, as long as so many logins take
SLACK_S = 3.0  # we come a little later than announced: too early would be inside a window
VISIT_LIMIT_S = 900.0  # while it measures: its runner waits no longer either (campaign/visits.py)
FETCH_LIMIT_S = 7200.0  # once it does not
STARTING_S = 5.0
FIRST_WAITS = (15.0,) * 3  # for a board that does not answer; one that nothing was given to is given up soon
WAITS = (15.0, 30.0, 60.0, 120.0, 240.0, *(300.0,) * 10)  # near an hour: it measures, and its meter is recorded here
STARTS = 3  # in one call: a board that reboots over and over needs somebody to look at it
MARK = b"primetime-visit "
FETCHING = ".fetching-"
CHUNK = 1 << 20
PREPARING = "preparing"  # what a board says before there are windows
USER_MISTAKE = 2
SENTENCE, HINT = "primetime: ", "  hint: "  # how the command line says what went wrong

Tell = Callable[[str], None]
Arrived = Callable[[Assignment, Path], None]
Answer = dict[str, Any]  # see campaign/job.py: Standing


def as_it_came(given: Assignment, copy: Path) -> None:
    """Do nothing with a copy of a campaign that has arrived."""


@dataclass(frozen=True, slots=True)
class Attending:
    """What a controller does meanwhile: `tell` hears what happens, `pause` waits.

    `arrived` gets every copy of the campaign that has come, before it is put in place: there a meter's series are
    merged (campaign/outside.py). `meter` is what `carry_out` itself records beside it.
    """

    tell: Tell
    pause: Pause
    arrived: Arrived = as_it_came
    meter: ControllerMeter | None = None


def carry_out(device: FleetDevice, given: Assignment, how: Attending) -> Path:
    """See a campaign through on a board, wherever it stands; return its file here.

    Raises UserError, Unreachable (what was begun goes on without us), Interrupted, and PrimetimeError with what the
    board said. Finished is what has put back all that it changed on the board.
    """
    with ExitStack() as stack:
        stack.enter_context(device_lock(f"fleet: {given.name}", directory(device.name)))
        give_to_user(directory(device.name) / "lock")  # who began with sudo may go on without
        given = recall(given.record) if given.record.exists() else remember(given)
        if not given.finished:
            how = replace(how, meter=stack.enter_context(metered(device.meter, given.meter_log)))
        if given.next_visit - time.time() > SLACK_S and not given.finished:
            how.tell(f"it said to come in {given.next_visit - time.time():.0f} s")
        starts = failures = 0
        while not (given.finished and given.campaign.exists()):
            how.pause(given.next_visit - time.time())
            try:
                given, found = attend(device, given, how)
                if not (found.get("running") or given.finished):
                    if starts and (found.get("exit_code") is not None or starts == STARTS):
                        raise failure(device, found)
                    launch(device, given, how)
                    starts += 1
                failures = 0
            except (Unreachable, CommandTimeout) as error:
                wait_for_answer(given, error, failures, how)
                failures += 1
            given = recall(given.record)  # what was done before it failed counts
        return given.campaign


def wait_for_answer(given: Assignment, error: PrimetimeError, failures: int, how: Attending) -> None:
    """Give a board that does not answer time. Unreachable after so many failures in a row; Interrupted."""
    waits = WAITS if given.command else FIRST_WAITS
    if failures == len(waits):
        goes_on = " (what it measures goes on: primetime fleet resume)" if given.command else ""
        raise Unreachable(f"{error.message}{goes_on}")
    how.tell(f"{error.message}; trying again in {waits[failures]:.0f} s")
    how.pause(waits[failures])


def attend(device: FleetDevice, given: Assignment, how: Attending) -> tuple[Assignment, Answer]:
    """Visit a board that was prepared and note what it says; {} for one that does not know us."""
    if not given.command:
        return given, {}
    try:
        found = visit(device, given, how)
    except CommandFailed as error:
        how.tell(f"it does not know primetime any more ({error.message})")
        return given, {}
    if how.meter is not None and (words := how.meter.news()):
        how.tell(words)
    return note(given, found, how), found


def visit(device: FleetDevice, given: Assignment, how: Attending) -> Answer:
    """Ask how it stands; the campaign, where the board sends it, replaces our copy as a whole.

    Raises Unreachable, CommandFailed, CommandTimeout, Interrupted; UserError when nothing can be written here.
    """
    try:
        return fetch(device, given, how)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", "") or str(error)
        words = f"{device.name}: its campaign cannot be written to {given.campaign}: {reason}"
        raise UserError(words, "make room there, then: primetime fleet resume") from None


def fetch(device: FleetDevice, given: Assignment, how: Attending) -> Answer:
    """Visit, as `visit` says; OSError and sqlite3.Error of this machine's file system come as they are."""
    own = directory(device.name)
    make_directory(own)
    for left in own.glob(f"{FETCHING}*"):  # by a controller that was killed; we hold the device's lock
        shutil.rmtree(left)
    there = str(given.there(HOME))
    with tempfile.TemporaryDirectory(dir=own, prefix=FETCHING) as directory_:
        stream = Path(directory_, "stream")
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
    return answer


def receive(device: FleetDevice, ask: Sequence[str], out: IO[bytes], how: Attending) -> None:
    """Visit; where we record a meter of the board, look at the board's clock first, on the same connection."""
    ssh, meter = Ssh(device, pause=how.pause), how.meter

    def limit_s() -> float:
        out.flush()
        return FETCH_LIMIT_S if is_idle(device, Path(out.name)) else VISIT_LIMIT_S

    if meter is None:
        ssh.receive(ask, out, limit_s)
        return

    def look(to: IO[bytes], answers: IO[bytes]) -> None:
        seen = ask_clock(to, answers)
        if seen is not None:
            meter.note_clock(seen)

    ssh.receive([*ask, "--clock"], out, limit_s, look)


def is_idle(device: FleetDevice, stream: Path) -> bool:
    """Whether the board has said already that it does not measure: then nothing is disturbed by a long visit."""
    with stream.open("rb") as lines, suppress(Unreachable, ValueError):
        return not answer_in(device, lines)["running"]
    return False


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


def note(given: Assignment, found: Answer, how: Attending) -> Assignment:
    """Remember what a visit showed."""
    state = found["state"] or given.state
    over = not found["running"] and found["exit_code"] is not None and not found.get("left")
    finished = over and found["state"] not in ("", CampaignState.RUNNING)
    wait_s = found["next_s"] + SLACK_S if found["running"] else 0.0
    if found["running"] and found["stage"] != PREPARING:
        progress = f"{found['done']} of {found['planned']} planned trials; " if found["planned"] else ""
        how.tell(f"{progress}next visit in {wait_s:.0f} s")
    if finished:
        how.tell(f"{found['state']}: {found['done']} of {found['planned']} trials; {given.campaign}")
    return remember(replace(given, state=state, finished=finished, next_visit=time.time() + wait_s))


def launch(device: FleetDevice, given: Assignment, how: Attending) -> None:
    """Push what the board lacks, start the campaign or go on with it, and close the connection."""
    with tempfile.TemporaryDirectory(prefix="primetime-bundle-") as here, open_board(device, how.pause) as board:
        command = prepare(board, Path(here, "primetime.pyz"), how.tell)
        given = remember(replace(given, command=command))
        errand = {
            "study": given.study,
            "device": device.name,
            "open_s": max(OPEN_S, LOGINS * board.login_s),
            "facts": {"fleet.address": device.address, **meter_fact(device)},
        }
        start = [*command, "board", "start", str(given.there(HOME))]
        board.ssh.run(start, stdin=json.dumps(errand).encode())
    how.tell(f"{'going on' if given.state else 'started'}; the connection is closed")
    remember(replace(given, next_visit=time.time() + STARTING_S))


def meter_fact(device: FleetDevice) -> dict[str, str]:
    """Which meter of ours is on the board, as a fact of the campaign."""
    return {"fleet.meter": f"{device.meter.name} ({device.meter.kind})"} if device.meter else {}


def failure(device: FleetDevice, found: Answer) -> PrimetimeError:
    """What the board said at the end of a run that did not finish, as the same kind of error here."""
    words, hint = last_words(found.get("said", ""))
    hint = hint or "mend it, then: primetime fleet resume"
    if found.get("exit_code") == USER_MISTAKE:
        return UserError(f"{device.name}: {words}", hint)
    if found.get("exit_code") is None:
        return PrimetimeError(f"{device.name}: it was started {STARTS} times and died each time ({words})")
    return PrimetimeError(f"{device.name}: it ended with exit code {found['exit_code']}: {words}; {hint}")


def last_words(said: str) -> tuple[str, str]:
    """The last sentence and hint of a log."""
    words = hint = ""
    for line in said.splitlines():
        if line.startswith(SENTENCE):
            words, hint = line.removeprefix(SENTENCE), ""
        elif line.startswith(HINT):
            hint = line.removeprefix(HINT)
    lines = said.split("\n")
    return words or next((line for line in reversed(lines) if line.strip()), "it said nothing"), hint
