"""Figures in words: units that a person reads, and no more digits than are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

from primetime.model import Interval, State

SPACE = "\N{NO-BREAK SPACE}"  # a figure and its unit stay on one line
NOTHING = "\N{EN DASH}"  # where there is no figure
SCALED = frozenset({"B/s", "bit/s", "B", "W", "J"})
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
TIMES = ((60.0, "min", 60.0), (1.0, "s", 1.0), (1e-3, "ms", 1e-3), (1e-6, "µs", 1e-6), (0.0, "ns", 1e-9))


def quantity(value: float | None, unit: str) -> str:
    """Return a value in readable units with three significant digits: "37.1 MB/s", "210 µs"; NOTHING for None."""
    if value is None:
        return NOTHING
    if unit == "s":
        return _time(value)
    if unit in SCALED:
        factor, prefix = next((one for one in PREFIXES if abs(value) >= one[0]), PREFIXES[-1])
        return f"{digits(value / factor)}{SPACE}{prefix}{unit}"
    if unit == "1/s":
        return f"{digits(value)}{SPACE}/s"
    return digits(value) if unit in ("", "1") else f"{digits(value)}{SPACE}{unit.replace(' ', SPACE)}"


def digits(value: float, significant: int = 3) -> str:
    """Return a number with so many significant digits, thousands apart, never in powers of ten near 1."""
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -5:
        return f"{value:.{significant - 1}e}"
    # Rounded first, so that 9.996 counts as 10.0 and not as 10.00.
    rounded = round(value, significant - 1 - size)
    size = math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, significant - 1 - size)}f}".replace(",", SPACE)


def ratio_in_words(interval: Interval) -> str:
    """Return "0.69 [0.64, 0.73]": as many decimals as the interval's width allows."""
    places = _places(interval)
    low, high = f"{interval.low:.{places}f}", f"{interval.high:.{places}f}"
    return f"{interval.ratio:.{places}f} [{low}, {high}]"


def plain_ratio(value: float | None, baseline: float | None) -> str:
    """Return the quotient of two figures that have no interval; NOTHING where there is none, or one is below zero."""
    if value is None or baseline is None or value < 0 or baseline <= 0:
        return NOTHING
    return digits(value / baseline, 2)


def states_in_words(states: Sequence[State], unit: str) -> str:
    """Return "37.1 MB/s (8 boots) or 52.0 MB/s (12 boots)"; "" for no states."""
    return " or ".join(f"{quantity(state.value, unit)} ({state.boots} boots)" for state in states)


def percent(ratio: float) -> str:
    """Return how far a ratio is from 1: "31 %", "0.4 %"."""
    return f"{digits(abs(ratio - 1) * 100, 2)}{SPACE}%"


def _places(interval: Interval) -> int:
    """Return the decimals that keep the bounds apart, and apart from 0 and from 1."""
    if interval.low >= 10:
        return 1 if interval.low < 100 else 0
    gaps = (interval.high - interval.low, interval.low, abs(interval.low - 1), abs(interval.high - 1))
    smallest = min((gap for gap in gaps if gap > 0), default=1.0)
    return min(6, max(2, math.ceil(-math.log10(smallest))))


def _time(seconds: float) -> str:
    if seconds == 0:
        return f"0{SPACE}s"
    _, name, unit = next(one for one in TIMES if abs(seconds) >= one[0])
    return f"{digits(seconds / unit)}{SPACE}{name}"
