"""Steady state across blocks, by the two conditions of SNIA's Performance Test Specification (methodology §1.11).

Over the last five rounds: (a) the values stay within 20 % of their mean, and (b) the least-squares line through them
moves by at most 10 % of it. A round is a block: flash changes across the campaign, not inside a trial (contract §6).
It is a loose gate: steady is not precise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, linear_regression

WINDOW = 5
RANGE = 0.20  # (a): max - min, of the mean
SLOPE = 0.10  # (b): the line's max - min, of the mean


class Steadiness(StrEnum):
    """What the last window says."""

    STEADY = "steady"
    NOT_STEADY = "not steady"
    TOO_SHORT = "too short"


@dataclass(frozen=True, slots=True)
class Steady:
    """The verdict with both figures, as parts of the mean; `since`: the round that ended the first steady window."""

    state: Steadiness
    spread: float = 0.0
    moved: float = 0.0
    since: int | None = None


def steady_state(values: Sequence[float]) -> Steady:
    """Judge rounds in time order, by the last five."""
    if len(values) < WINDOW:
        return Steady(Steadiness.TOO_SHORT)
    windows = [values[end - WINDOW : end] for end in range(WINDOW, len(values) + 1)]
    first = next((end for end, window in enumerate(windows, start=WINDOW) if holds(*measured(window))), None)
    spread, moved = measured(windows[-1])
    state = Steadiness.STEADY if holds(spread, moved) else Steadiness.NOT_STEADY
    return Steady(state, spread, moved, first)


def measured(window: Sequence[float]) -> tuple[float, float]:
    """Return how far a window's values, and the line through them, spread: parts of the mean."""
    mean = abs(fmean(window)) or 1.0
    slope = linear_regression(range(len(window)), window).slope
    return (max(window) - min(window)) / mean, abs(slope) * (len(window) - 1) / mean


def holds(spread: float, moved: float) -> bool:
    """Whether both conditions do."""
    return spread <= RANGE and moved <= SLOPE
