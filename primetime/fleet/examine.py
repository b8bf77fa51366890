"""`doctor` on a board: what it can run, found by trying there."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from primetime.errors import PrimetimeError
from primetime.fleet.board import Tell, open_board, prepare
from primetime.fleet.controller_meter import tried
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.pause import Pause
from primetime.fleet.writing import writing_here

DOCTOR_LIMIT_S = 3600.0  # every kind of guest is booted once, perhaps under emulation

Examined = dict[str, Any]  # see cli/doctor.py: {"facts": …, "environments": […]}; "controller_meter": what it shows


def examine(device: FleetDevice, tell: Tell, pause: Pause) -> Examined:
    """Run doctor on a board, and try the meter that it hangs on here.

    Raises UserError, Unreachable, CommandFailed, CommandTimeout, Interrupted.
    """
    with (
        writing_here(device),
        tempfile.TemporaryDirectory(prefix="primetime-bundle-") as here,
        open_board(device, pause) as board,
    ):
        command = prepare(board, Path(here, "primetime.pyz"), tell)
        tell("trying what it can run")
        outcome = board.ssh.run([*command, "doctor", "--json"], timeout_s=DOCTOR_LIMIT_S)
    found = examined(device, outcome.stdout.decode(errors="replace"))
    return {**found, "controller_meter": tried(device.meter)} if device.meter else found


def examined(device: FleetDevice, said: str) -> Examined:
    """Read doctor's answer behind what a login shell may have said."""
    _, brace, rest = f"\n{said}".partition("\n{")
    try:
        found: Examined = json.loads(brace + rest)
    except ValueError:
        raise PrimetimeError(f"{device.name}: doctor's answer cannot be read: {said[-200:]!r}") from None
    return found
