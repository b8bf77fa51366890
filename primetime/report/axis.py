"""Scales of charts: from a figure to a place, and where the ticks go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

ZOOM_BELOW = 1.6  # a spread of less than this factor is shown without zero, or nothing could be told apart
LOG_ABOVE = 25.0
RATIO_TICKS = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    0.8,
    0.9,
    1,
    1.1,
    1.25,
    2,
    5,
    10,
    20,
    50,
    100,
    1000,
)
FINE_TICKS = (0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08)
TICK_GAP = 34.0  # pixels between two numbers that are not to touch


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear or logarithmic scale from [low, high] to pixels [left, right]."""

    low: float
    high: float
    left: float
    right: float
    log: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return the place of a value, kept inside the axis."""
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, max(value, 1e-300)))
        share = (value - low) / (high - low)
        return self.left + (self.right - self.left) * min(1.0, max(0.0, share))


def value_axis(values: Sequence[float], left: float, right: float) -> Axis:
    """Return an axis for figures: from zero, zoomed in where they are close, logarithmic where they are far apart."""
    low, high = min(values), max(values)
    if low > 0 and high / low > LOG_ABOVE:
        bottom, top = 10 ** math.floor(math.log10(low)), high * 1.15
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = tuple(10.0**power for power in powers if 10.0**power <= top)
        return Axis(bottom, top, left, right, log=True, ticks=ticks)
    start = low if low > 0 and high / low < ZOOM_BELOW else min(0.0, low)
    room = (high - start) * 0.08 or abs(high) * 0.05 or 1.0
    bottom, top = (start - room if start > 0 else start), high + room
    return Axis(bottom, top, left, right, log=False, ticks=_round_ticks(bottom, top))


def ratio_axis(ratios: Sequence[float], left: float, right: float) -> Axis:
    """Return a logarithmic axis for ratios with 1 on it."""
    low, high = min([*ratios, 0.95]), max([*ratios, 1.05])
    room = (high / low) ** 0.08
    low, high = low / room, high * room
    candidates = [tick for tick in RATIO_TICKS if low <= tick <= high]
    if len(candidates) < 3:
        candidates = [tick for tick in FINE_TICKS if low <= tick <= high]
    axis = Axis(low, high, left, right, log=True, ticks=())
    ticks: list[float] = []
    for tick in sorted(candidates, key=lambda ratio: abs(math.log(ratio))):  # from 1 outwards, so that 1 stays
        if all(abs(axis.at(tick) - axis.at(other)) >= TICK_GAP for other in ticks):
            ticks.append(tick)
    return replace(axis, ticks=tuple(sorted(ticks)))


def _round_ticks(low: float, high: float, about: int = 4) -> tuple[float, ...]:
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * size for size in (1, 2, 2.5, 5, 10) if power * size >= rough * 0.99)
    first = math.ceil(low / step)
    return tuple(step * index for index in range(first, math.floor(high / step) + 1))
