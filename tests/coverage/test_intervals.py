"""Does a nominal 95 % interval cover 95 %? The code that reports use, on campaigns whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from primetime.intervals import log_ratio_interval
from tests.coverage.simulated import FAR_STATES, LOGNORMAL, NORMAL, ONE_SIDED, TWO_STATE, Truth, binomial_error

BLOCKS = (5, 6, 8, 10, 15, 20, 30)
LOW, HIGH = 0.935, 0.965  # what a nominal 95 % may be
QUICK, MANY = 2_000, 20_000
TRUTHS = (NORMAL, LOGNORMAL, TWO_STATE)


def covered(truth: Truth, blocks: int, campaigns: int) -> float:
    """Return the share of campaigns whose 95 % interval holds the true ratio."""
    chance = np.random.default_rng([20261125, blocks, len(truth.name)])
    true = math.exp(truth.mean)
    intervals = (log_ratio_interval(d) for d in truth.draw(chance, campaigns, blocks).tolist())
    return sum(one.low <= true <= one.high for one in intervals) / campaigns


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
@pytest.mark.parametrize("blocks", [5, 10, 30])
def test_nominal_95_percent_quickly(truth: Truth, blocks: int) -> None:
    room = 3 * binomial_error(0.95, QUICK)
    assert LOW - room <= covered(truth, blocks, QUICK) <= HIGH + room


@pytest.mark.slow
@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
@pytest.mark.parametrize("blocks", BLOCKS)
def test_nominal_95_percent(truth: Truth, blocks: int) -> None:
    assert LOW <= covered(truth, blocks, MANY) <= HIGH


@pytest.mark.slow
@pytest.mark.parametrize("blocks", BLOCKS)
def test_states_far_apart_make_it_wide_never_narrow(blocks: int) -> None:
    """Where both sides have two far states, the interval of few blocks covers more than 95 %: too wide, not wrong."""
    assert LOW <= covered(FAR_STATES, blocks, MANY) <= 0.99


@pytest.mark.slow
def test_a_state_that_was_not_seen_is_not_covered() -> None:
    """The limit of every method: five blocks that missed the slow state cannot know of it (docs/statistics.md)."""
    few, many = covered(ONE_SIDED, 5, MANY), covered(ONE_SIDED, 30, MANY)
    assert 0.68 <= few <= 0.74
    assert many >= 0.93
