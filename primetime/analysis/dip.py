"""Hartigan's dip: how far a sample is from every distribution with one mode (Hartigan & Hartigan 1985).

The dip is the least greatest distance between the sample's distribution function and any that is first convex, then
concave. Its p-value is that of a uniform sample of the same size, the worst case; QUANTILES were simulated with this
module (bench/dip_table.py, fixed seeds) and are interpolated. A minority state of a fifth needs about 20 values to be
seen at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FEWEST = 20
TAILS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
QUANTILES = {  # of sqrt(n) × dip, by n
    20: (0.3281, 0.3945, 0.4345, 0.4697, 0.5110, 0.5403, 0.5677, 0.5980, 0.6194, 0.6331, 0.6596, 0.6782),
    30: (0.3371, 0.4056, 0.4469, 0.4826, 0.5273, 0.5589, 0.5875, 0.6178, 0.6454, 0.6608, 0.6847, 0.7113),
    50: (0.3446, 0.4151, 0.4576, 0.4960, 0.5406, 0.5719, 0.5999, 0.6394, 0.6659, 0.6885, 0.7146, 0.7243),
    100: (0.3539, 0.4256, 0.4702, 0.5102, 0.5564, 0.5884, 0.6152, 0.6578, 0.6889, 0.7077, 0.7552, 0.7842),
    200: (0.3623, 0.4365, 0.4820, 0.5214, 0.5677, 0.6029, 0.6299, 0.6713, 0.7000, 0.7187, 0.7308, 0.7379),
    500: (0.3689, 0.4440, 0.4903, 0.5312, 0.5812, 0.6104, 0.6450, 0.6779, 0.6992, 0.7365, 0.7635, 0.7777),
    1000: (0.3702, 0.4467, 0.4929, 0.5340, 0.5853, 0.6240, 0.6521, 0.6805, 0.7103, 0.7203, 0.7334, 0.7416),
}
Array = NDArray[np.float64]


def dip(values: Sequence[float]) -> float:
    """Return the dip, between 1 / (2 n) and 1/4. ValueError for fewer than four values."""
    x = np.sort(np.asarray(values, dtype=np.float64))
    if len(x) < 4:
        raise ValueError("a dip needs four values")
    low, high, found = 0, len(x) - 1, 1.0
    while x[high] > x[low]:
        below, above = hull(x, low, high, lower=True), hull(x, low, high, lower=False)
        apart, left, right = farthest(x, below, above)
        if apart < found:
            break
        inside = max(
            strayed(x, [at for at in below if at <= left], 1), strayed(x, [at for at in above if at >= right], -1)
        )
        found = max(found, inside)
        if (left, right) == (low, high):
            break
        low, high = left, right
    return found / (2 * len(x))


def p_value(values: Sequence[float]) -> float:
    """Return the chance of so large a dip in a uniform sample; never below the smallest of TAILS."""
    scaled = math.sqrt(len(values)) * dip(values)
    sizes = np.log(list(QUANTILES))
    table = np.array(list(QUANTILES.values()))
    size = math.log(min(max(len(values), min(QUANTILES)), max(QUANTILES)))
    quantiles = [float(np.interp(size, sizes, column)) for column in table.T]
    return float(math.exp(np.interp(scaled, quantiles, np.log(TAILS)))) if scaled >= quantiles[0] else 1.0


def hull(x: Array, low: int, high: int, *, lower: bool) -> list[int]:
    """Return the corners, from low to high, of the greatest convex line below (or least concave above) (x_i, i)."""
    turn = 1.0 if lower else -1.0
    corners = [low]
    for at in range(low + 1, high + 1):
        while len(corners) > 1:
            a, b = corners[-2:]
            if turn * ((x[b] - x[a]) * (at - a) - (x[at] - x[a]) * (b - a)) > 0:
                break
            corners.pop()
        corners.append(at)
    return corners


def farthest(x: Array, below: list[int], above: list[int]) -> tuple[float, int, int]:
    """Return how far the two lines are apart at most, in values, and the corners of either around that place."""
    at_above = np.array(above) - np.interp(x[above], x[below], below) + 1
    at_below = np.interp(x[below], x[above], above) - np.array(below) + 1
    if at_above.max() >= at_below.max():
        right = above[int(at_above.argmax())]
        left = max(corner for corner in below if x[corner] <= x[right])
    else:
        left = below[int(at_below.argmax())]
        right = min(corner for corner in above if x[corner] >= x[left])
    return float(max(at_above.max(), at_below.max())), left, right


def strayed(x: Array, corners: list[int], side: int) -> float:
    """Return how far the sample lies from its line over these corners: above the convex (1), below the concave (-1)."""
    if len(corners) < 2 or x[corners[-1]] <= x[corners[0]]:
        return 1.0
    between = np.arange(corners[0], corners[-1] + 1)
    line = np.interp(x[between], x[corners], corners)
    return float(max(1.0, (side * (between - line)).max() + 1))
