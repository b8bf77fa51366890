"""How `run` and `resume` end: the table and the report where analysis is installed, else how to get them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.cli import DONE, FAILED
from primetime.errors import Interrupted, UserError
from primetime.store import CampaignFile


def finish(path: Path, quiet: bool) -> int:
    """Print where the campaign is and what it says; return the exit code (1 when trials failed)."""
    with CampaignFile.open(path, write=False) as campaign:
        failed = campaign.counts().failed
    if not quiet:
        say(path)
    return FAILED if failed else DONE


@contextmanager
def resumable(path: Path) -> Iterator[None]:
    """Let an interruption say how to go on with this campaign, once there is one."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        hint = f"go on with: primetime resume {path}" if path.exists() else ""
        raise Interrupted(str(error), hint) from error


def say(path: Path) -> None:
    """The table and the HTML report, or the command that makes them elsewhere.

    The campaign is whole by now: that it cannot be told here (the one-file bundle is the measuring half alone, numpy
    may be missing, the page's place may be full) is said, and is no failure.
    """
    from primetime.cli.report import show

    sys.stderr.flush()
    try:
        show([path])
    except UserError as error:
        print(f"{path}\n{error.message}")
        print(f"report it where analysis is installed: primetime report {path}")
