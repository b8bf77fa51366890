"""Two samples that are not paired: Welch's interval for the ratio of their geometric means, and TOST from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from primetime.intervals import LEVEL, spread
from primetime.intervals.student_t import quantile, tail
from primetime.model import Interval


@dataclass(frozen=True, slots=True)
class Welch:
    """ln of the ratio after / before, its standard error, and Satterthwaite's degrees of freedom."""

    difference: float
    error: float
    df: float
    units: int  # of the smaller side

    def interval(self, level: float = LEVEL) -> Interval:
        """Return the ratio with its two-sided interval."""
        half = quantile((1 + level) / 2, self.df) * self.error
        low, high = math.exp(self.difference - half), math.exp(self.difference + half)
        return Interval(math.exp(self.difference), low, high, level, self.units)

    def difference_p(self) -> float:
        """Return the two-sided p-value of "the ratio is 1"."""
        return min(1.0, 2 * self._beyond(abs(self.difference)))

    def equivalence_p(self, margin: float) -> float:
        """Return the p-value of "the ratio lies outside the margin": the larger of two one-sided ones."""
        return self._beyond(math.log1p(margin) - abs(self.difference))

    def _beyond(self, distance: float) -> float:
        if self.error == 0.0:
            return 0.0 if distance > 0 else 1.0
        return tail(distance / self.error, self.df)


def welch(before: Sequence[float], after: Sequence[float]) -> Welch:
    """Compare logarithms of two sides. ValueError for fewer than two on either."""
    parts = [spread(side) ** 2 / len(side) for side in (before, after)]
    error = math.sqrt(sum(parts))
    below = sum(part**2 / (len(side) - 1) for part, side in zip(parts, (before, after), strict=True))
    df = error**4 / below if below else float(len(before) + len(after) - 2)
    return Welch(fmean(after) - fmean(before), error, df, min(len(before), len(after)))
