"""Where the spread comes from: between boots, or between iterations inside one (Kalibera & Jones 2013, corrected).

With r iterations in each of n boots: S_1² is the mean variance inside boots, S_2² the variance of the boots' means;
T_1² = S_1² and T_2² = S_2² - S_1²/r are what iterations and boots themselves add. With costs c_1 of an iteration and
c_2 of a boot, ⌈√(c_2/c_1 · T_1²/T_2²)⌉ iterations per boot give most for the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

MOST_ADVISED = 100


def split_variance(boots: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return (T_2², T_1²) of boots with equally many values; T_2² is 0 where it would be negative."""
    within = fmean(variance(boot) for boot in boots)
    between = variance([fmean(boot) for boot in boots])
    return max(0.0, between - within / len(boots[0])), within


def advised_iterations(of_boots: float, of_iterations: float, boot_s: float, iteration_s: float) -> int | None:
    """Return the iterations per boot that give most for the time; None where boots do not differ."""
    if of_boots <= 0 or iteration_s <= 0:
        return None
    return min(MOST_ADVISED, max(1, math.ceil(math.sqrt(boot_s / iteration_s * of_iterations / of_boots))))


def full_boots(boots: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Return the boots that have all their iterations; none where there are fewer than two of two."""
    most = max(map(len, boots), default=0)
    full = [boot for boot in boots if len(boot) == most]
    return full if len(full) > 1 and most > 1 else []
