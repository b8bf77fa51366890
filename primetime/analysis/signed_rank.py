"""Hodges and Lehmann's estimate with the interval of Wilcoxon's signed-rank test: the second opinion on every ratio.

It assumes that differences are symmetric, not that they are normal. The estimate is the median of all Walsh averages
(d_i + d_j) / 2, i <= j; the interval is cut from the same averages at the ranks that the test's exact distribution
gives (its normal approximation above EXACT_BLOCKS). It exists from 6 blocks up: fewer have no 95 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from primetime.model import Interval

FEWEST = 6
EXACT_BLOCKS = 60
BISECTIONS = 200


def hodges_lehmann(d: Sequence[float], level: float) -> Interval:
    """Return exp of the estimate with its interval at `level`. ValueError for fewer than 6 blocks."""
    if len(d) < FEWEST:
        raise ValueError(f"a signed-rank interval needs {FEWEST} blocks")
    ordered = np.sort(np.asarray(d, dtype=np.float64))
    count = len(d) * (len(d) + 1) // 2
    cut = max(1, critical_rank(len(d), 1.0 - level))  # 90 and 95 % always have one from 6 blocks up
    low, high = (walsh(ordered, rank) for rank in (cut, count + 1 - cut))
    centre = (walsh(ordered, (count + 1) // 2) + walsh(ordered, count // 2 + 1)) / 2
    return Interval(math.exp(centre), math.exp(low), math.exp(high), level, len(d))


@lru_cache(maxsize=256)
def critical_rank(blocks: int, alpha: float) -> int:
    """Return the largest k with P(W < k) <= alpha / 2, W being the signed-rank sum where nothing differs."""
    if blocks > EXACT_BLOCKS:
        mean = blocks * (blocks + 1) / 4
        sd = math.sqrt(blocks * (blocks + 1) * (2 * blocks + 1) / 24)
        return math.floor(mean - NormalDist().inv_cdf(1 - alpha / 2) * sd)
    ways = np.zeros(blocks * (blocks + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, blocks + 1):  # each rank is in the sum or not
        ways[rank:] = ways[rank:] + ways[:-rank]
    below = np.cumsum(ways) / 2.0**blocks
    return int(np.searchsorted(below, alpha / 2, side="right"))


def walsh(ordered: NDArray[np.float64], rank: int) -> float:
    """Return the rank-th smallest Walsh average (from 1) of ordered values, in time n log n.

    The averages are not made, there are n² of them: a value is found by halving, counting those at or below it.
    """
    low, high = float(ordered[0]), float(ordered[-1])
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if at_or_below(ordered, middle) >= rank:
            high = middle
        else:
            low = middle
    return low if at_or_below(ordered, low) >= rank else high


def at_or_below(ordered: NDArray[np.float64], value: float) -> int:
    """Return how many Walsh averages are at most `value`."""
    reach = np.searchsorted(ordered, 2 * value - ordered, side="right")
    return int(np.maximum(reach - np.arange(len(ordered)), 0).sum())
