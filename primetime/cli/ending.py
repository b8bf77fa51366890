"""How `run` and `resume` end: the table and the report where analysis is installed, else how to get them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from primetime.cli import DONE, FAILED
from primetime.store import CampaignFile


def finish(path: Path, quiet: bool) -> int:
    """Print where the campaign is and what it says; return the exit code (1 when trials failed)."""
    with CampaignFile.open(path, write=False) as campaign:
        failed = campaign.counts().failed
    if not quiet:
        say(path)
    return FAILED if failed else DONE


def say(path: Path) -> None:
    """The table and the HTML report, or the command that makes them elsewhere."""
    if find_spec("primetime.analysis") is None:  # the one-file bundle is the measuring half alone
        print(path)
        print(f"report it where analysis is installed: primetime report {path}")
        return
    from primetime.cli.report import show

    sys.stderr.flush()
    show([path])
