"""How often are decisions wrong? A/A alarms, "comparable" at the margin's edge, families, and stopping on width."""

from __future__ import annotations

import math

import numpy as np
import pytest

from primetime.intervals import ALPHA, difference_p, equivalence_p, half_width, holm, log_ratio_interval
from tests.coverage.simulated import LOGNORMAL, NORMAL, TWO_STATE, Truth, binomial_error, lognormal

QUICK, MANY = 1_000, 10_000
TRUTHS = (NORMAL, LOGNORMAL, TWO_STATE)
SPREAD = 0.045  # sd of one block's ln ratio, as in methodology §3


def false_alarms(truth: Truth, blocks: int, campaigns: int, points: int = 4) -> float:
    """Return the share of A/A campaigns in which any of their points alarms, by Holm as the check does it."""
    chance = np.random.default_rng([8, blocks, len(truth.name)])
    draws = [truth.draw(chance, campaigns, blocks).tolist() for _ in range(points)]
    return sum(min(holm([difference_p(d) for d in family])) <= ALPHA for family in zip(*draws, strict=True)) / campaigns


def called_comparable(ratio: float, blocks: int, spread: float, margin: float, campaigns: int) -> float:
    """Return how often TOST calls an environment with this true ratio comparable."""
    chance = np.random.default_rng([9, blocks, round(1000 * spread)])
    d = math.log(ratio) + spread * chance.standard_normal((campaigns, blocks))
    return sum(equivalence_p(one, margin) <= ALPHA for one in d.tolist()) / campaigns


def stopped(width: float, campaigns: int, least: int = 10, most: int = 40) -> tuple[float, float]:
    """Return (coverage, median blocks) of campaigns that stop on width, as campaign/stopping.py does."""
    chance = np.random.default_rng([10, round(1000 * width), least])
    held, lengths = 0, []
    for d in (SPREAD * chance.standard_normal((campaigns, most))).tolist():
        blocks = next((n for n in range(least, most) if half_width(d[:n]) <= width), most)
        interval = log_ratio_interval(d[:blocks])
        held += interval.low <= 1.0 <= interval.high
        lengths.append(blocks)
    return held / campaigns, float(np.median(lengths))


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
def test_aa_false_alarms_quickly(truth: Truth) -> None:
    assert false_alarms(truth, 10, QUICK) <= ALPHA + 3 * binomial_error(ALPHA, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
@pytest.mark.parametrize("blocks", [6, 10, 20])
def test_aa_false_alarms(truth: Truth, blocks: int) -> None:
    assert false_alarms(truth, blocks, MANY) <= ALPHA + 2 * binomial_error(ALPHA, MANY)


@pytest.mark.parametrize(("spread", "margin"), [(0.02, 0.05), (0.045, 0.10)])
def test_comparable_at_the_margins_edge_quickly(spread: float, margin: float) -> None:
    wrong = called_comparable(1 + margin, 10, spread, margin, QUICK)
    assert wrong <= ALPHA + 3 * binomial_error(ALPHA, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [5, 8, 10, 15, 20, 30])
@pytest.mark.parametrize(("spread", "margin"), [(0.02, 0.03), (0.02, 0.05), (0.045, 0.05), (0.08, 0.10)])
def test_comparable_at_the_margins_edge(blocks: int, spread: float, margin: float) -> None:
    for edge in (1 + margin, 1 / (1 + margin)):
        assert called_comparable(edge, blocks, spread, margin, MANY) <= ALPHA + 2 * binomial_error(ALPHA, MANY)


@pytest.mark.slow
@pytest.mark.parametrize(("blocks", "power"), [(5, 0.37), (10, 0.87), (15, 0.98)])
def test_how_often_equal_ones_are_called_comparable(blocks: int, power: float) -> None:
    """Methodology §0.4: at a spread of 4.5 % and a margin of 5 %."""
    assert called_comparable(1.0, blocks, SPREAD, 0.05, MANY) == pytest.approx(power, abs=0.02)


def test_stopping_on_width_quickly() -> None:
    coverage, _ = stopped(0.03, QUICK)
    assert coverage >= 0.93 - 3 * binomial_error(0.93, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("width", [0.05, 0.03, 0.02])
def test_stopping_on_width(width: float) -> None:
    coverage, _ = stopped(width, MANY)
    assert coverage >= 0.93


@pytest.mark.slow
def test_why_ten_blocks_are_the_least() -> None:
    """From three blocks on, the rule would stop on lucky streaks."""
    assert stopped(0.03, MANY, least=3)[0] < 0.92


@pytest.mark.slow
def test_seventy_two_uncorrected_comparisons_of_nothing_alarm_nearly_always() -> None:
    chance, families = np.random.default_rng(11), 400
    alone = together = 0
    for family in lognormal(0.05)(chance, (families * 72, 10)).reshape(families, 72, 10).tolist():
        p = [difference_p(d) for d in family]
        alone += min(p) <= ALPHA
        together += min(holm(p)) <= ALPHA
    assert alone / families > 0.94
    assert together / families <= ALPHA + 3 * binomial_error(ALPHA, families)
