"""Campaigns that never ran: blocks whose truth is known, drawn with fixed seeds (methodology §0, §4).

Every generator gives ln(y_environment / y_baseline) by campaign and block, as an array (campaigns, blocks), and the
true mean of that. A block's own level is shared by both sides and cancels, so it is drawn only where it matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]  # ln of a boot's figure


@dataclass(frozen=True)
class Truth:
    """What is drawn for an environment and its baseline, and the mean of their difference."""

    name: str
    environment: Draw
    baseline: Draw
    mean: float = 0.0

    def draw(self, chance: np.random.Generator, campaigns: int, blocks: int) -> Array:
        """Return ln ratios (campaigns, blocks)."""
        shape = (campaigns, blocks)
        return self.environment(chance, shape) - self.baseline(chance, shape)


def normal(cv: float) -> Draw:
    """Figures that are normal with this coefficient of variation."""
    return lambda chance, shape: np.log1p(np.maximum(cv * chance.standard_normal(shape), -0.99))


def lognormal(cv: float) -> Draw:
    """Figures whose logarithm is normal."""
    sigma = math.sqrt(math.log1p(cv * cv))
    return lambda chance, shape: sigma * chance.standard_normal(shape)


def two_state(slow: float, by: float, cv: float) -> Draw:
    """A share `slow` of the boots is slower `by` this part; around either state the figures are log-normal."""

    def draw(chance: np.random.Generator, shape: tuple[int, int]) -> Array:
        state = np.where(chance.random(shape) < slow, math.log1p(-by), 0.0)
        return state + cv * chance.standard_normal(shape)

    return draw


NORMAL = Truth("normal boots, CV 3 %", normal(0.03), normal(0.03))
LOGNORMAL = Truth("lognormal boots, CV 10 %", lognormal(0.10), lognormal(0.10))
# A fifth of the boots 10 % slower, 3 % around each state: a CV of 5 % in all, as in methodology §4's table.
TWO_STATE = Truth("two-state boots, CV 5 %", two_state(0.2, 0.10, 0.03), two_state(0.2, 0.10, 0.03))
# States far apart against what is around them: few blocks see only one of them.
FAR_STATES = Truth("states far apart", two_state(0.2, 0.125, 0.01), two_state(0.2, 0.125, 0.01))
ONE_SIDED = Truth(
    "two states in one environment only", two_state(0.2, 0.125, 0.01), lognormal(0.01), 0.2 * math.log1p(-0.125)
)


def binomial_error(p: float, trials: int) -> float:
    """Return the standard error of a share p seen in so many trials."""
    return math.sqrt(p * (1 - p) / trials)
