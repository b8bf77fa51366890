"""`primetime watch CAMPAIGN`: follow a running campaign from another terminal."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from primetime.campaign.whose import going_on_elsewhere, is_of_this_device
from primetime.cli import DONE
from primetime.cli.listeners import duration
from primetime.host.lock import measuring
from primetime.model import CampaignState
from primetime.store import CampaignFile

INTERVAL_S = 1.0
UNFINISHED = "interrupted"
ENDED = """SELECT trial, environment, point, status, reason, started_at FROM trials
           WHERE status IN ('done', 'failed', 'skipped') AND trial > ? ORDER BY trial"""
RUNNING = "SELECT environment, point FROM trials WHERE status = 'running'"
PACE = "SELECT count(*) AS ended, coalesce(sum(t1 - t0), 0) AS seconds FROM boots WHERE t1 IS NOT NULL"


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("campaign", type=Path, help="the campaign file")
    parser.add_argument("--once", action="store_true", help="say how it stands and end")


def execute(options: argparse.Namespace) -> int:
    """Print trials as they end, until the campaign does. Reads only; takes no lock that a writer minds."""
    seen = 0
    while True:
        with CampaignFile.open(options.campaign, write=False) as campaign:
            seen = print_ended(campaign, seen)
            state = campaign.state()
            left_alone = state is CampaignState.RUNNING and not measuring()
            print_standing(campaign, state, left_alone)
            if left_alone:
                print(f"nobody measures here: {going_on(campaign)}")
                return DONE
        if options.once or state is not CampaignState.RUNNING:
            return DONE
        time.sleep(INTERVAL_S)


def going_on(campaign: CampaignFile) -> str:
    """What to do with a campaign that nobody measures here."""
    if is_of_this_device(campaign):
        return f"go on with: primetime resume {campaign.path}"
    return f"it is another device's; {going_on_elsewhere(campaign)}"


def print_ended(campaign: CampaignFile, seen: int) -> int:
    """Print trials that ended after trial `seen`; return the last one printed."""
    for row in campaign.rows(ENDED, seen):
        reason = f": {row['reason']}" if row["reason"] else ""
        print(f"  {row['started_at'] or '-':<24} {row['environment']:<12} {row['point']:<28} {row['status']}{reason}")
        seen = row["trial"]
    return seen


def print_standing(campaign: CampaignFile, state: CampaignState, left_alone: bool) -> None:
    """One line: how far, what runs now, when the planned blocks will be done."""
    counts = campaign.counts()
    ended = counts.done + counts.failed + counts.skipped
    total = ended + counts.planned
    now = "".join(f"; now {row['environment']} {row['point']}" for row in campaign.rows(RUNNING))
    pace = campaign.rows(PACE)[0]
    eta = duration(pace["seconds"] / ended * counts.planned) if ended else "unknown"
    going_on = state is CampaignState.RUNNING and not left_alone
    left = f"{now}; about {eta} left in this block" if going_on else ""
    print(f"{UNFINISHED if left_alone else state}: {ended} of {total} planned trials ended{left}", flush=True)
