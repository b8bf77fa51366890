"""Exact intervals of quantiles: against scipy, against a table, and by counting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from primetime.intervals import LEAST, benjamini_hochberg, blocks_to_width, half_width, holm, quantile_interval
from primetime.intervals.order_statistics import ranks


@pytest.mark.parametrize(("p", "least"), LEAST.items())
def test_fewer_values_have_no_interval(p: float, least: int) -> None:
    """Methodology §1.6: 6 for a median, 59 for p95, 299 for p99."""
    assert ranks(least - 1, p) is None
    assert ranks(least, p) is not None
    assert quantile_interval(range(least - 1), p).low is None


@pytest.mark.parametrize(
    ("count", "p", "expected"),
    [(6, 0.5, (1, 6)), (10, 0.5, (2, 9)), (20, 0.5, (6, 15)), (30, 0.5, (10, 21)), (100, 0.95, (90, 100))],
)
def test_ranks_by_table(count: int, p: float, expected: tuple[int, int]) -> None:
    """Le Boudec's table of ranks; scipy's quantile_test gives the same."""
    assert ranks(count, p) == expected
    theirs = stats.quantile_test(range(1, count + 1), p=p).confidence_interval(0.95)
    assert (theirs.low, theirs.high) == expected


@given(count=st.integers(6, 400), p=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_ranks_hold_the_quantile_with_95_percent(count: int, p: float) -> None:
    found = ranks(count, p)
    if found is None:
        assert stats.binom.cdf(count - 1, count, p) - stats.binom.cdf(0, count, p) < 0.95
        return
    low, high = found
    assert stats.binom.cdf(high - 1, count, p) - stats.binom.cdf(low - 1, count, p) >= 0.95 - 1e-12


def test_the_value_lies_between_neighbours() -> None:
    one = quantile_interval([4.0, 1.0, 3.0, 2.0, 6.0, 5.0], 0.5)
    assert (one.value, one.low, one.high, one.count) == (3.5, 1.0, 6.0, 6)
    with pytest.raises(ValueError, match="no values"):
        quantile_interval([], 0.5)


p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(p=p_values)
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(tuple(stats.false_discovery_control(p)))


@given(p=p_values)
def test_benjamini_hochberg_is_never_stricter_than_holm(p: list[float]) -> None:
    assert all(q <= h + 1e-12 for q, h in zip(benjamini_hochberg(p), holm(p), strict=True))


def test_blocks_to_a_width_are_those_at_which_it_is_reached() -> None:
    d = [0.04, -0.05, 0.03, -0.02, 0.05, -0.04, 0.01, -0.03, 0.02, -0.01]
    blocks = blocks_to_width(d, 0.02)
    assert blocks is not None
    whole = blocks // len(d)
    assert half_width(d * (whole + 1)) <= 0.02 <= half_width(d * whole)
    assert blocks_to_width([-3.0, 3.0], 0.001) is None
