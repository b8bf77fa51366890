"""`primetime clean`: undo what a killed run left on this device."""

from __future__ import annotations

import argparse

from primetime.cli import DONE
from primetime.host.lock import device_lock, require_root
from primetime.host.undo import open_ledger


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to say but the verb."""


def execute(options: argparse.Namespace) -> int:  # noqa: ARG001 - every verb has the same form
    """Replay the ledger; UndoFailed (exit code 1) names what is left."""
    require_root("clean")
    with device_lock("clean"):
        undone = open_ledger().replay()
    for words in undone:
        print(f"undone: {words}")
    print(f"{len(undone)} acts undone; this device is clean")
    return DONE
