"""Steady state by a table worked out by hand; drift and change points on series whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from primetime.analysis.drift import change_points, lag_one, lag_one_p, runs_p
from primetime.analysis.steady import Steadiness, steady_state

STEADY, NOT_STEADY, TOO_SHORT = Steadiness.STEADY, Steadiness.NOT_STEADY, Steadiness.TOO_SHORT


@pytest.mark.parametrize(
    ("values", "state", "spread", "moved"),
    [
        ([100, 100, 100, 100], TOO_SHORT, 0.0, 0.0),
        ([100, 100, 100, 100, 100], STEADY, 0.0, 0.0),
        ([110, 90, 100, 110, 90], STEADY, 0.20, 0.08),  # slope -2 a round over 4 rounds, of 100
        ([111, 90, 100, 109, 90], NOT_STEADY, 0.21, 0.092),  # (a) fails alone: slope -2.3
        ([94, 97, 100, 103, 106], NOT_STEADY, 0.12, 0.12),  # (b) fails alone
        ([95, 97.5, 100, 102.5, 105], STEADY, 0.10, 0.10),  # exactly at (b)
        ([500, 300, 100, 100, 100, 100, 100], STEADY, 0.0, 0.0),  # only the last five count
    ],
)
def test_snia_by_hand(values: list[float], state: Steadiness, spread: float, moved: float) -> None:
    found = steady_state(values)
    assert found.state is state
    assert (found.spread, found.moved) == pytest.approx((spread, moved))


def test_the_first_steady_window_is_told() -> None:
    assert steady_state([500, 300, 100, 100, 100, 100, 100]).since == 7
    assert steady_state([1, 2, 4, 8, 16, 32]).since is None


def test_independent_blocks_seldom_look_dependent() -> None:
    chance, campaigns = np.random.default_rng(1), 600
    for test in (runs_p, lag_one_p):
        wrong = sum(test(one) <= 0.05 for one in chance.standard_normal((campaigns, 20)).tolist())
        assert wrong / campaigns <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / campaigns)


def test_a_slow_wave_is_seen() -> None:
    wave = [math.sin(block / 4) for block in range(40)]
    assert lag_one(wave) > 0.9
    assert max(runs_p(wave), lag_one_p(wave)) < 0.001


def test_the_runs_test_has_no_rejection_region_below_ten() -> None:
    assert runs_p([1, 2, 3, 4, 5, 6, 7, 8, 9]) == 1.0
    assert runs_p([5.0] * 30) == 1.0


def test_a_change_is_found_where_it_was() -> None:
    chance = np.random.default_rng(2)
    series = np.concatenate([chance.standard_normal(15), 4 + chance.standard_normal(15)])
    [change] = change_points(series.tolist())
    assert change.at == 15
    assert change.after - change.before == pytest.approx(4, abs=1)


def test_two_changes_are_found_in_order() -> None:
    chance = np.random.default_rng(3)
    series = chance.standard_normal(60) + np.repeat([0.0, 6.0, -3.0], 20)
    assert [change.at for change in change_points(series.tolist())] == [20, 40]


def test_noise_has_no_change() -> None:
    chance = np.random.default_rng(4)
    found = sum(bool(change_points(one)) for one in chance.standard_normal((200, 30)).tolist())
    assert found <= 2
