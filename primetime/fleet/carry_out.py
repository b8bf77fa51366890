"""The unit of work: one plain idempotent function from (device, assignment) to a campaign file here.

It may be killed and called again at any moment: what is pushed is known by its hash, what runs on the board holds
a lock there, and what a campaign has finished is never measured again. So a scheduler of any kind can call it.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from primetime.errors import CommandFailed, CommandTimeout, PrimetimeError, Unreachable, UserError
from primetime.fleet.assignment import Assignment, as_it_is_now, directory, recall, remember
from primetime.fleet.attending import Attending
from primetime.fleet.board import HOME, open_board, prepare
from primetime.fleet.controller_meter import metered
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.visit import SLACK_S, Answer, visit
from primetime.fleet.writing import writing_here
from primetime.host.lock import device_lock
from primetime.model import CampaignState
from primetime.store import give_to_user

OPEN_S = 20.0  # how long the board holds a visiting interval open beyond the time it announced
LOGINS = 3  # or, on a slow board, as long as so many logins take
STARTING_S = 5.0
FIRST_WAITS = (15.0,) * 3  # for a board that does not answer; one that nothing was given to is given up soon
WAITS = (15.0, 30.0, 60.0, 120.0, 240.0, *(300.0,) * 10)  # near an hour: it measures, and its meter is recorded here
STARTS = 3  # in one call: a board that reboots over and over needs somebody to look at it
PREPARING = "preparing"  # what a board says before there are windows
USER_MISTAKE = 2
SENTENCE, HINT = "primetime: ", "  hint: "  # how the command line says what went wrong


def carry_out(device: FleetDevice, given: Assignment, how: Attending) -> Path:
    """See a campaign through on a board, wherever it stands; return its file here.

    Raises UserError, Unreachable (what was begun goes on without us), Interrupted, and PrimetimeError with what the
    board said. Finished is what has put back all that it changed on the board.
    """
    with ExitStack() as stack:
        stack.enter_context(writing_here(device))
        stack.enter_context(device_lock(f"fleet: {given.name}", directory(device.name)))
        give_to_user(directory(device.name) / "lock")  # who began with sudo may go on without
        given = recall(given.record) if given.record.exists() else remember(given)
        given = as_it_is_now(given, device)
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
    """Visit a board that was prepared and note what it says.

    {} for one that nothing was given to yet; {"refused": why} where a visit is not possible. PrimetimeError when that
    was our last way to a campaign that is finished.
    """
    if not given.command:
        return given, {}
    try:
        found = visit(device, given, how)
    except CommandFailed as error:
        refused = last_words(error.stderr.decode(errors="replace"))[0]
        if given.finished:
            words = (
                f"{device.name}: {given.name} is finished, but not here, and cannot be had from the board: {refused}"
            )
            raise PrimetimeError(words) from None
        how.tell(f"it cannot be visited ({refused}): it is prepared anew")
        return given, {"refused": refused}
    if found.get("unsent"):
        raise UserError(
            f"{device.name}: its campaign cannot be sent: {found['unsent']}",
            "make room on the board, then: primetime fleet resume",
        )
    if how.meter is not None and (words := how.meter.news()):
        how.tell(words)
    return note(given, found, how), found


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
    if "refused" in found:
        return PrimetimeError(f"{device.name}: it was started {STARTS} times and cannot be visited: {found['refused']}")
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
