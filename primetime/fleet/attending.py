"""What a controller does while it sees to a board: who is told, how it waits, what becomes of a copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from primetime.fleet.assignment import Assignment
from primetime.fleet.controller_meter import ControllerMeter
from primetime.fleet.pause import Pause

Tell = Callable[[str], None]
Arrived = Callable[[Assignment, Path], None]


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
