"""The interval, its tests and Holm: against scipy, by law, and by seeded simulation."""

from __future__ import annotations

import math
import random

import numpy
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from primetime.intervals import (
    blocks_to_resolve,
    difference_p,
    equivalence_p,
    half_width,
    holm,
    log_ratio_interval,
    log_ratios,
)

differences = st.lists(st.floats(-1, 1), min_size=2, max_size=20).filter(lambda d: float(numpy.std(d)) > 1e-6)
p_values = st.lists(st.floats(0, 1), max_size=12)


@given(d=differences)
def test_interval_and_p_are_scipys(d: list[float]) -> None:
    result = stats.ttest_1samp(d, 0.0)
    low, high = result.confidence_interval(0.95)
    interval = log_ratio_interval(d)
    assert (math.log(interval.low), math.log(interval.high)) == pytest.approx((low, high), abs=1e-9)
    assert difference_p(d) == pytest.approx(float(result.pvalue), rel=1e-6, abs=1e-12)
    assert interval.pairs == len(d)


@given(d=differences)
def test_swapping_the_sides_inverts_the_ratio(d: list[float]) -> None:
    interval, swapped = log_ratio_interval(d), log_ratio_interval([-one for one in d])
    assert swapped.ratio == pytest.approx(1 / interval.ratio)
    assert (swapped.low, swapped.high) == pytest.approx((1 / interval.high, 1 / interval.low))
    assert difference_p(d) == pytest.approx(difference_p([-one for one in d]))


@given(d=differences, margin=st.floats(0.01, 1))
def test_equivalent_exactly_where_the_90_percent_interval_is_inside(d: list[float], margin: float) -> None:
    interval = log_ratio_interval(d, 0.90)
    inside = interval.high < 1 + margin and interval.low > 1 / (1 + margin)
    edge = min(abs(math.log(interval.high / (1 + margin))), abs(math.log(interval.low * (1 + margin))))
    assume(edge > 1e-9)
    assert (equivalence_p(d, margin) < 0.05) == inside


@given(d=differences)
def test_half_width_is_the_factor_to_the_bounds(d: list[float]) -> None:
    interval = log_ratio_interval(d)
    assert 1 + half_width(d) == pytest.approx(interval.high / interval.ratio)


def test_nothing_is_known_from_one_block() -> None:
    assert half_width([0.1]) == math.inf
    assert half_width([]) == math.inf
    with pytest.raises(ValueError, match="two blocks"):
        log_ratio_interval([0.1])


def test_no_spread_is_certain() -> None:
    assert difference_p([0.0, 0.0]) == 1.0
    assert difference_p([0.1, 0.1]) == 0.0
    assert equivalence_p([0.01, 0.01], 0.05) == 0.0
    assert equivalence_p([0.1, 0.1], 0.05) == 1.0


@pytest.mark.parametrize("blocks", [5, 10])
def test_the_95_percent_interval_covers_95_percent(blocks: int) -> None:
    chance, campaigns = random.Random(4), 2000
    covered = 0
    for _ in range(campaigns):
        interval = log_ratio_interval([math.log(0.8) + chance.gauss(0, 0.045) for _ in range(blocks)])
        covered += interval.low <= 0.8 <= interval.high
    error = math.sqrt(0.95 * 0.05 / campaigns)
    assert abs(covered / campaigns - 0.95) < 3 * error


def test_false_comparable_at_the_margins_edge_is_rare() -> None:
    chance, campaigns = random.Random(5), 2000
    called = sum(
        equivalence_p([math.log(1.05) + chance.gauss(0, 0.02) for _ in range(10)], 0.05) <= 0.05
        for _ in range(campaigns)
    )
    assert called / campaigns <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / campaigns)


@given(p=p_values)
def test_holm_only_raises_and_keeps_the_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(one >= raw for one, raw in zip(adjusted, p, strict=True))
    assert all(0 <= one <= 1 for one in adjusted)
    in_order = [adjusted[index] for index in sorted(range(len(p)), key=p.__getitem__)]
    assert in_order == sorted(in_order)


@given(p=p_values, seed=st.integers())
def test_holm_does_not_look_at_the_order(p: list[float], seed: int) -> None:
    order = list(range(len(p)))
    random.Random(seed).shuffle(order)
    shuffled = holm([p[index] for index in order])
    assert sorted(shuffled) == pytest.approx(sorted(holm(p)))


@given(p=p_values)
def test_holm_is_never_stricter_than_bonferroni(p: list[float]) -> None:
    assert all(one <= min(1.0, len(p) * raw) + 1e-12 for one, raw in zip(holm(p), p, strict=True))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))


def test_more_blocks_resolve_what_is_expected_to_be_resolved() -> None:
    d = [0.02, -0.03, 0.05, -0.04, 0.03]
    more = blocks_to_resolve(d, 0.05)
    assert more is not None
    assert more > 0
    assert blocks_to_resolve([0.048, 0.05, 0.0499, -3.0, 3.0], 0.05) is None


def test_pairs_are_made_by_block() -> None:
    found = log_ratios({1: 2.0, 2: 3.0, 4: 5.0, 5: 0.0}, {4: 5.0, 1: 1.0, 3: 1.0, 5: 1.0})
    assert found == pytest.approx({1: math.log(2), 4: 0.0})
    assert list(found) == [1, 4]
