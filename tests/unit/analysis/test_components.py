"""Variance components after Kalibera and Jones: against a second implementation with loops, and against a truth."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from primetime.intervals import advised_iterations, full_boots, split_variance


def by_loops(boots: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The corrected formulas of the paper, level by level: S_i², then T_i² = S_i² - S_{i-1}²/r_{i-1}."""
    n, r = len(boots), len(boots[0])
    s1 = 0.0
    for boot in boots:
        mean = sum(boot) / r
        for value in boot:
            s1 += (value - mean) ** 2
    s1 /= n * (r - 1)
    grand = sum(sum(boot) for boot in boots) / (n * r)
    s2 = 0.0
    for boot in boots:
        s2 += (sum(boot) / r - grand) ** 2
    s2 /= n - 1
    return s2 - s1 / r, s1


@pytest.mark.parametrize("seed", range(5))
def test_both_implementations_agree(seed: int) -> None:
    chance = random.Random(seed)
    boots = [[level + chance.gauss(0, 0.01) for _ in range(4)] for level in (chance.gauss(0, 0.03) for _ in range(7))]
    assert split_variance(boots) == pytest.approx(by_loops(boots))


def test_a_worked_example() -> None:
    """Three boots of two: means 1.5, 3.5, 5.5 (variance 4), inside each a variance of 0.5."""
    assert split_variance([[1, 2], [3, 4], [5, 6]]) == (4 - 0.5 / 2, 0.5)


def test_a_known_truth_is_found() -> None:
    chance = random.Random(3)
    boots = []
    for _ in range(2000):
        level = chance.gauss(0, 0.03)
        boots.append([level + chance.gauss(0, 0.02) for _ in range(3)])
    of_boots, of_iterations = split_variance(boots)
    assert math.sqrt(of_boots) == pytest.approx(0.03, rel=0.05)
    assert math.sqrt(of_iterations) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("of_boots", "of_iterations", "boot_s", "iteration_s", "advised"),
    [
        (4.0, 4.0, 5.0, 60.0, 1),  # a boot is cheap against an iteration: many short boots
        (1.0, 4.0, 60.0, 10.0, 5),  # ⌈√(6 · 4)⌉
        (0.0, 1.0, 5.0, 5.0, None),  # boots do not differ
        (1.0, 0.0, 5.0, 5.0, 1),
    ],
)
def test_advice_by_hand(
    of_boots: float, of_iterations: float, boot_s: float, iteration_s: float, advised: int | None
) -> None:
    assert advised_iterations(of_boots, of_iterations, boot_s, iteration_s) == advised


def test_only_boots_with_all_their_iterations_count() -> None:
    assert full_boots([[1, 2, 3], [1, 2], [4, 5, 6]]) == [[1, 2, 3], [4, 5, 6]]
    assert full_boots([[1], [2], [3]]) == []
    assert full_boots([[1, 2]]) == []
    assert full_boots([]) == []
