"""`primetime resume CAMPAIGN`: go on after a stop, a kill or a power cut."""

from __future__ import annotations

import argparse
from pathlib import Path

from primetime.campaign.session import resume
from primetime.cli.ending import finish, resumable
from primetime.cli.listeners import JsonListener, TerminalListener


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("campaign", type=Path, help="the campaign file")
    parser.add_argument("--json", action="store_true", help="one JSON object per event on stdout")


def execute(options: argparse.Namespace) -> int:
    """Carry the campaign to its end; one that has ended is put right where it left something behind, and told again."""
    with resumable(options.campaign):
        resume(options.campaign, JsonListener() if options.json else TerminalListener())
    return finish(options.campaign, quiet=options.json)
