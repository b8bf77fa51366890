"""Medians and tails with exact intervals from order statistics (methodology §1.6, after Le Boudec).

The interval from the j-th to the k-th smallest of n independent values holds quantile p with probability
B(k - 1) - B(j - 1), B being the binomial distribution function of n trials with chance p. Nothing is assumed about the
values' distribution. Below a least number of values even the whole range does not reach 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95
LEAST = {0.5: 6, 0.95: 59, 0.99: 299}  # values that any 95 % interval needs, by quantile


@dataclass(frozen=True, slots=True)
class QuantileInterval:
    """A quantile of `count` values with its interval; no bounds where there are too few for one."""

    p: float
    value: float
    low: float | None
    high: float | None
    count: int


def quantile_interval(values: Sequence[float], p: float, level: float = LEVEL) -> QuantileInterval:
    """Return quantile `p` (between neighbours, linearly) and its exact interval. ValueError for no values."""
    if not values:
        raise ValueError("no values have no quantile")
    ordered = sorted(values)
    bounds = ranks(len(ordered), p, level)
    low, high = (ordered[bounds[0] - 1], ordered[bounds[1] - 1]) if bounds else (None, None)
    return QuantileInterval(p, between(ordered, p), low, high, len(ordered))


def ranks(count: int, p: float, level: float = LEVEL) -> tuple[int, int] | None:
    """Return the ranks (from 1) of the bounds: each tail at most half of what may be missed; None: too few.

    Where one tail must be the end of the values (an extreme quantile), the other has all the room.
    """
    missed = 1.0 - level
    at_most = _distribution(count, p)  # at_most[i] = P(fewer than or exactly i of the values lie below the quantile)
    if 1.0 - at_most[count - 1] + at_most[0] > missed:
        return None  # even the whole range misses it too often
    low = max((j for j in range(1, count + 1) if at_most[j - 1] <= missed / 2), default=1)
    high = min((k for k in range(1, count + 1) if 1.0 - at_most[k - 1] <= missed / 2), default=count)
    if at_most[high - 1] - at_most[low - 1] < level:  # one side is at its end and takes more than its half
        room = missed - (1.0 - at_most[high - 1]) if high == count else missed - at_most[low - 1]
        if high == count:
            low = max((j for j in range(1, count + 1) if at_most[j - 1] <= room), default=1)
        else:
            high = min((k for k in range(1, count + 1) if 1.0 - at_most[k - 1] <= room), default=count)
    return low, high


def between(ordered: Sequence[float], p: float) -> float:
    """Return the quantile of ordered values, linear between neighbours (numpy's default)."""
    place = p * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _distribution(count: int, p: float) -> list[float]:
    """Return P(X <= i) for i = 0…count of the binomial distribution, by its logarithms so that nothing underflows."""
    log_p, log_q = math.log(p), math.log1p(-p)
    total, found = 0.0, []
    for i in range(count + 1):
        log_choose = math.lgamma(count + 1) - math.lgamma(i + 1) - math.lgamma(count - i + 1)
        total += math.exp(log_choose + i * log_p + (count - i) * log_q)
        found.append(min(total, 1.0))
    return found
