"""Hartigan's dip against its definition, by linear programming: the nearest distribution with one mode."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from primetime.analysis.dip import dip, p_value
from primetime.analysis.states import split

Array = NDArray[np.float64]


def nearest(x: Array) -> float:
    """Return the dip by its definition: over every place of the mode, the least greatest distance that is possible.

    Unknown are the distribution function at every value (twice at the mode, which may hold an atom) and the distance.
    """
    return min(nearest_with_mode(np.sort(x), mode) for mode in range(len(x)))


def nearest_with_mode(x: Array, mode: int) -> float:
    count = len(x)
    rows: list[Array] = []
    most: list[float] = []

    def at_most(terms: dict[int, float], value: float) -> None:
        row = np.zeros(count + 2)
        for place, factor in terms.items():
            row[place] += factor
        rows.append(row)
        most.append(value)

    def within(place: int, value: float) -> None:
        at_most({place: 1, count + 1: -1}, value)
        at_most({place: -1, count + 1: -1}, -value)

    below = list(range(mode + 1))  # the last one is the limit from the left at the mode
    above = list(range(mode + 1, count + 1))  # the first one is the value at the mode
    for place in below:
        within(place, place / count)
        if place < mode:
            within(place, (place + 1) / count)
    for place in above:
        within(place, place / count)
        if place > mode + 1:
            within(place, (place - 1) / count)
    for side, sign in ((below, 1.0), (above, -1.0)):
        shift = 0 if side is below else 1
        for a, b in pairwise(side):
            at_most({a: 1, b: -1}, 0.0)
        for a, b, c in zip(side, side[1:], side[2:], strict=False):
            first, second = 1 / (x[b - shift] - x[a - shift]), 1 / (x[c - shift] - x[b - shift])
            at_most({a: -sign * first, b: sign * (first + second), c: -sign * second}, 0.0)
    at_most({mode: 1, mode + 1: -1}, 0.0)
    goal = np.zeros(count + 2)
    goal[-1] = 1.0
    bounds = [(0, 1)] * (count + 1) + [(0, None)]
    return float(linprog(goal, A_ub=np.array(rows), b_ub=most, bounds=bounds).fun)


@pytest.mark.parametrize("count", [5, 8, 12])
@pytest.mark.parametrize("apart", [0.0, 3.0, 8.0])
def test_the_dip_is_what_it_is_defined_to_be(count: int, apart: float) -> None:
    chance = np.random.default_rng([count, int(apart)])
    x = chance.standard_normal(count) + apart * (chance.random(count) < 0.5)
    assert dip(x.tolist()) == pytest.approx(nearest(x), abs=1e-9)


def test_its_bounds() -> None:
    assert dip(list(range(50))) == pytest.approx(1 / 100)
    assert dip([0.0, 1e-6, 2e-6, 1.0, 1 + 1e-6, 1 + 2e-6]) == pytest.approx(0.25, abs=0.01)
    assert dip([2.0] * 9) == pytest.approx(1 / 18)
    with pytest.raises(ValueError, match="four values"):
        dip([1.0, 2.0, 3.0])


def test_one_mode_is_seldom_taken_for_two() -> None:
    chance = np.random.default_rng(5)
    for draw in (chance.random, chance.standard_normal):
        wrong = sum(p_value(draw(30)) <= 0.05 for _ in range(400))
        assert wrong / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def test_two_far_states_are_seen() -> None:
    chance = np.random.default_rng(6)
    values = np.exp(0.01 * chance.standard_normal(30) + np.where(np.arange(30) % 3 == 0, -0.2, 0.0))
    assert p_value(np.log(values).tolist()) < 0.001
    low, high = split(values.tolist())
    assert (low.boots, high.boots) == (10, 20)
    assert low.value / high.value == pytest.approx(np.exp(-0.2), rel=0.02)
