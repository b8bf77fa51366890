"""Hodges and Lehmann's interval: against every sign there is, every average there is, and scipy's test."""

from __future__ import annotations

import itertools
import math
import random
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from primetime.analysis.signed_rank import critical_rank, hodges_lehmann, walsh

differences = st.lists(st.floats(-1, 1), min_size=6, max_size=20)


def averages(d: list[float]) -> list[float]:
    """Return all Walsh averages, in order: the plain way."""
    return sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(d, 2))


@given(d=differences, share=st.floats(0, 1))
def test_an_average_is_found_without_making_them(d: list[float], share: float) -> None:
    plain = averages(d)
    rank = 1 + round(share * (len(plain) - 1))
    assert walsh(np.sort(np.array(d)), rank) == pytest.approx(plain[rank - 1], abs=1e-12)


@given(d=differences)
def test_the_estimate_is_the_median_of_all_averages(d: list[float]) -> None:
    interval = hodges_lehmann(d, 0.95)
    assert math.log(interval.ratio) == pytest.approx(median(averages(d)), abs=1e-9)
    assert interval.low <= interval.ratio <= interval.high


@pytest.mark.parametrize("blocks", [6, 8, 11])
@pytest.mark.parametrize("alpha", [0.05, 0.10])
def test_the_critical_rank_by_trying_every_sign(blocks: int, alpha: float) -> None:
    sums = [
        sum(rank for rank, positive in enumerate(signs, start=1) if positive)
        for signs in itertools.product((False, True), repeat=blocks)
    ]
    rank = critical_rank(blocks, alpha)
    assert sum(one < rank for one in sums) / len(sums) <= alpha / 2
    assert sum(one < rank + 1 for one in sums) / len(sums) > alpha / 2


@pytest.mark.parametrize(("blocks", "rank"), [(6, 1), (8, 4), (10, 9), (15, 26), (20, 53), (25, 90)])
def test_the_critical_rank_by_table(blocks: int, rank: int) -> None:
    """The published table of two-sided 5 % points, plus one: the table gives the largest sum that rejects."""
    assert critical_rank(blocks, 0.05) == rank


def test_it_excludes_1_exactly_where_wilcoxons_test_rejects() -> None:
    chance = random.Random(1)
    for _ in range(200):
        d = [chance.gauss(0.02, 0.03) for _ in range(12)]
        interval = hodges_lehmann(d, 0.95)
        rejects = stats.wilcoxon(d, method="exact").pvalue <= 0.05
        assert rejects == (not interval.low <= 1 <= interval.high)


def test_many_blocks_are_as_good_as_the_exact_distribution() -> None:
    assert critical_rank(61, 0.05) == pytest.approx(stats.wilcoxon(range(1, 62)).statistic + 675, rel=0.02)


def test_five_blocks_have_none() -> None:
    with pytest.raises(ValueError, match="needs 6 blocks"):
        hodges_lehmann([0.1] * 5, 0.95)
