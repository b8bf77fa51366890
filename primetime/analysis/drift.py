"""Do blocks depend on each other? Residuals in time order: runs, neighbours, change points (methodology §4, step 9).

Intervals take blocks as independent. Drift that both sides share cancels in the pairs; what is left in their ln ratios
does not, and makes intervals too narrow. Change points are found by halving: the place where the means before and
after differ most, tested by shuffling the order, then the same in each part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

FEWEST = 10  # the runs test has no rejection region below
SHORTEST = 5  # blocks before and after a change
SHUFFLES = 2000
AT_ONCE = 100
CHANGE_ALPHA = 0.001  # Hunter's (methodology §1.15): a campaign has many series
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Change:
    """A place in a series where its mean changed: the index of the first value after it, and both means."""

    at: int
    before: float
    after: float


def runs_p(values: Sequence[float]) -> float:
    """Return the two-sided p-value of Wald and Wolfowitz's runs test around the median; values on it are left out."""
    centre = float(np.median(values))
    above = [value > centre for value in values if value != centre]
    high, low = sum(above), len(above) - sum(above)
    if len(above) < FEWEST or not high or not low:
        return 1.0
    runs = 1 + sum(one != other for one, other in pairwise(above))
    mean = 1 + 2 * high * low / len(above)
    spread = math.sqrt((mean - 1) * (mean - 2) / (len(above) - 1))
    return two_sided(max(0.0, abs(runs - mean) - 0.5) / spread) if spread else 1.0


def lag_one(values: Sequence[float]) -> float:
    """Return the correlation of neighbours; 0 where nothing varies."""
    centred = np.asarray(values) - np.mean(values)
    whole = float(centred @ centred)
    return float(centred[1:] @ centred[:-1]) / whole if whole else 0.0


def lag_one_p(values: Sequence[float]) -> float:
    """Return the two-sided p-value of "neighbours are not correlated": |r| > 1.96/√n at 5 %, -1/n being expected."""
    if len(values) < FEWEST:
        return 1.0
    return two_sided(abs(lag_one(values) + 1 / len(values)) * math.sqrt(len(values)))


def change_points(values: Sequence[float], seed: int = 0) -> tuple[Change, ...]:
    """Return the changes of the mean, in order, each at p <= 0.001 within its part of the series."""
    series = np.asarray(values, dtype=np.float64)
    chance = np.random.default_rng(seed)
    cuts = sorted(_cuts(series, 0, chance))
    edges = [0, *cuts, len(series)]
    means = [float(series[a:b].mean()) for a, b in pairwise(edges)]
    return tuple(Change(cut, before, after) for cut, before, after in zip(cuts, means[:-1], means[1:], strict=True))


def _cuts(series: Array, start: int, chance: np.random.Generator) -> list[int]:
    """Return the indices, counted from `start`, at which the mean changes."""
    if len(series) < 2 * SHORTEST or not series.std():
        return []
    sizes = contrasts(series[None, :])[0]
    cut = int(sizes.argmax())
    if not _changed(series, float(sizes[cut]), chance):
        return []
    at = cut + SHORTEST
    return [*_cuts(series[:at], start, chance), start + at, *_cuts(series[at:], start + at, chance)]


def _changed(series: Array, seen: float, chance: np.random.Generator) -> bool:
    """Whether so large a contrast is rare in shuffled order, p <= CHANGE_ALPHA; stops as soon as it cannot be."""
    larger = 0
    for _ in range(SHUFFLES // AT_ONCE):
        shuffled = chance.permuted(np.tile(series, (AT_ONCE, 1)), axis=1)
        larger += int((contrasts(shuffled).max(axis=1) >= seen).sum())
        if (larger + 1) / (SHUFFLES + 1) > CHANGE_ALPHA:
            return False
    return True


def contrasts(series: Array) -> Array:
    """Return, for every cut that leaves SHORTEST values on both sides, how far apart the means are, standardised."""
    count = series.shape[1]
    before = np.arange(SHORTEST, count - SHORTEST + 1)
    sums = np.cumsum(series, axis=1)
    left = sums[:, before - 1] / before
    right = (sums[:, -1:] - sums[:, before - 1]) / (count - before)
    found: Array = np.abs(left - right) * np.sqrt(before * (count - before) / count)
    return found


def two_sided(z: float) -> float:
    """Return P(|Z| > z)."""
    return 2 * (1 - NormalDist().cdf(z))
