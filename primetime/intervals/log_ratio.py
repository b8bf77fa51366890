"""The block-paired t interval of a ratio, and the tests that go with it (methodology §0.2, §4 steps 4 and 7).

Everywhere `d` is the sequence of ln(y_environment / y_baseline), one per block. The ratio is exp(mean d): the ratio of
geometric means. Simulated coverage of the 95 % interval is 94-98 % from 5 blocks up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from primetime.intervals.student_t import quantile, tail
from primetime.model import Interval

LEVEL = 0.95
ALPHA = 0.05
MOST_BLOCKS = 1000


def log_ratio_interval(d: Sequence[float], level: float = LEVEL) -> Interval:
    """Return exp(mean d) with its two-sided t interval. ValueError for fewer than two blocks."""
    half = log_half_width(d, level)
    centre = fmean(d)
    return Interval(math.exp(centre), math.exp(centre - half), math.exp(centre + half), level, len(d))


def log_half_width(d: Sequence[float], level: float = LEVEL) -> float:
    """Return half the interval's width on the log scale."""
    error = _standard_error(d)
    return quantile((1.0 + level) / 2.0, len(d) - 1) * error


def half_width(d: Sequence[float], level: float = LEVEL) -> float:
    """Return half the interval's width as a part of the ratio: 0.05 means from ratio / 1.05 to ratio x 1.05.

    Infinite for fewer than two blocks: nothing is known yet.
    """
    return math.expm1(log_half_width(d, level)) if len(d) > 1 else math.inf


def difference_p(d: Sequence[float]) -> float:
    """Return the two-sided p-value of "the ratio is 1"."""
    return min(1.0, 2.0 * _tail_beyond(abs(fmean(d)), _standard_error(d), len(d) - 1))


def equivalence_p(d: Sequence[float], margin: float) -> float:
    """Return the p-value of "the ratio lies outside 1/(1+margin) … 1+margin": two one-sided tests, the larger p.

    At or below 0.05 exactly where the 90 % interval lies inside the margin.
    """
    distance = math.log1p(margin) - abs(fmean(d))
    return _tail_beyond(distance, _standard_error(d), len(d) - 1)


def blocks_to_resolve(d: Sequence[float], margin: float, family: int = 1) -> int | None:
    """Return how many blocks more are expected to give a verdict, if mean and spread stay; None: over a thousand.

    Resolved means that the interval excludes 1, or that the narrower one of TOST lies inside the margin: the 95 % and
    the 90 % interval for a comparison that stands alone, at 5 % over `family` for one of many (Holm's first step).
    """
    alpha = ALPHA / family
    centre, sd = abs(fmean(d)), spread(d)
    inside = math.log1p(margin) - centre
    for blocks in range(len(d) + 1, MOST_BLOCKS):
        error = sd / math.sqrt(blocks)
        df = blocks - 1
        if quantile(1 - alpha / 2, df) * error < centre or quantile(1 - alpha, df) * error < inside:
            return blocks - len(d)
    return None


def blocks_to_width(d: Sequence[float], width: float) -> int | None:
    """Return how many blocks in all are expected to narrow the half-width to `width`; None: over a thousand."""
    sd, wanted = spread(d), math.log1p(width)
    for blocks in range(2, MOST_BLOCKS):
        if quantile(1 - ALPHA / 2, blocks - 1) * sd / math.sqrt(blocks) <= wanted:
            return blocks
    return None


def spread(d: Sequence[float]) -> float:
    """Return the standard deviation of one block's ln ratio. ValueError for fewer than two blocks.

    Not statistics.stdev: its exact fractions take thirty times as long, and a report does this thousands of times.
    """
    if len(d) < 2:
        raise ValueError("an interval needs at least two blocks")
    centre = fmean(d)
    return math.sqrt(math.fsum((one - centre) ** 2 for one in d) / (len(d) - 1))


def _standard_error(d: Sequence[float]) -> float:
    return spread(d) / math.sqrt(len(d))


def _tail_beyond(distance: float, error: float, df: int) -> float:
    """Return P(T > distance / error); with no spread at all the answer is certain."""
    if error == 0.0:
        return 0.0 if distance > 0 else 1.0
    return tail(distance / error, df)
