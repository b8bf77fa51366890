"""Lines of time and watts, as logs and programs print them."""

from __future__ import annotations

from datetime import datetime

from primetime.errors import UserError
from primetime.instruments.power.base import Setting, finite_watts, unix_to_monotonic

CLOCKS = ("unix", "monotonic", "arrival")
CLOCK = Setting("clock", "unix", 'what the times are: "unix" (or ISO 8601), "monotonic", or "arrival": there are none')
RATE = (
    Setting("hz", 1.0, "new values a second"),
    Setting("resolution", 0.001, "the step of its power in W"),
    Setting("accuracy", 0.0, "half-width of the maker's bound: 0.01 for ±1 %"),
    Setting("place", "wall", "wall, supply or board"),
)


def check_clock(where: str, clock: str, place: str) -> None:
    """UserError for a clock or a place that there is not."""
    if clock not in CLOCKS or place not in ("wall", "supply", "board"):
        raise UserError(f"{where}: clock is one of {', '.join(CLOCKS)}; place is wall, supply or board", CLOCK.help)


def moment(text: str, clock: str) -> float:
    """A written time on CLOCK_MONOTONIC, by what this host thinks the time is; ValueError."""
    if clock == "monotonic":
        return float(text)
    try:
        unix = float(text)
    except ValueError:
        unix = datetime.fromisoformat(text.strip()).timestamp()
    return (unix / 1000.0 if unix > 1e11 else unix) + unix_to_monotonic()  # beyond 1e11: milliseconds


def watts(text: str) -> float:
    """A written power; ValueError."""
    return finite_watts(text.strip().removesuffix("W").strip(), "the power")
