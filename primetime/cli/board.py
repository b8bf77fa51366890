"""`primetime board start|carry-out|visit CAMPAIGN`: what `primetime fleet` asks of a board (docs/fleet.md)."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from primetime.campaign.job import Errand, Job
from primetime.campaign.visits import visiting
from primetime.cli import DONE, FAILED, main
from primetime.cli.ending import finish
from primetime.cli.listeners import TerminalListener
from primetime.errors import UserError
from primetime.host.facts import boot_id
from primetime.host.lock import device_lock, require_root
from primetime.host.undo import open_ledger

VISIT_MARK = "primetime-visit "  # before it may stand what a login shell says
CLOCK_MARK = "primetime-clock "


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("act", choices=("start", "carry-out", "visit"), help="start reads an errand from stdin")
    parser.add_argument("campaign", type=Path, help="the campaign file on this board")
    parser.add_argument("--clock", action="store_true", help="visit: first answer every line on stdin with the time")
    parser.add_argument("--fetch", action="store_true", help="visit: send a copy of the campaign after the answer")


def execute(options: argparse.Namespace) -> int:
    """Do one of the three."""
    require_root("board")
    job = Job(options.campaign)
    if options.act == "start":
        return start(job, sys.stdin.read())
    if options.act == "carry-out":
        job.carry_out(TerminalListener())
        return finish(job.campaign, quiet=True)
    return visit(job, options.fetch, options.clock)


def start(job: Job, asked: str) -> int:
    """Begin or go on, in a process that outlives this connection; UserError when one is at work already."""
    with job.at_work():
        job.ask(Errand(**json.loads(asked)))
        if not forked(job.beside("log")):
            return DONE
        job.note(None)
        code = FAILED
        try:
            code = main(["board", "carry-out", str(job.campaign)])
        finally:
            job.note(code, left_behind())
    return code


def left_behind() -> int:
    """How many acts on this device are not undone; 0 where another primetime is at work, whose they are then."""
    with suppress(UserError), device_lock("looking"):
        return len(open_ledger().entries())
    return 0


def tell_time() -> None:
    """Answer every line on stdin with CLOCK_MONOTONIC and this start of the machine, until stdin is closed."""
    boot = boot_id()
    while sys.stdin.readline():
        print(f"{CLOCK_MARK}{json.dumps([time.monotonic(), boot])}", flush=True)


def forked(log: Path) -> bool:
    """Go on in a child in a session of its own, whose words go to `log`; return whether this is the child."""
    sys.stdout.flush()
    if os.fork():
        return False
    os.setsid()
    nothing, words = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (words, 1), (words, 2)):
        os.dup2(source, target)
    return True


def visit(job: Job, fetch: bool, clock: bool = False) -> int:
    """Say how the job stands in one JSON line, and send the campaign where that is asked for and disturbs nothing."""
    job.campaign.parent.mkdir(parents=True, exist_ok=True)
    copy = job.beside("copy")
    with visiting(job.campaign):
        if clock:
            tell_time()
        if fetch:
            print("primetime is here", flush=True)  # a copy may take a while: who waits hears that something happens
        standing = job.standing()
        size, digest, unsent = 0, "", ""
        if fetch and standing.may_be_read:
            try:
                size, digest = job.copy_to(copy)
            except (OSError, sqlite3.OperationalError) as error:
                with suppress(OSError):
                    copy.unlink(missing_ok=True)
                unsent = f"{copy} cannot be written: {error}"
        answer = {**asdict(standing), "bytes": size, "sha256": digest, "unsent": unsent}
        print(f"{VISIT_MARK}{json.dumps(answer)}", flush=True)
        if size:
            with copy.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            copy.unlink()
    return DONE
