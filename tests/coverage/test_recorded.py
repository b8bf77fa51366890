"""A/A by resampling what was really measured: native against native, five campaigns on one virtual machine.

The recorded ln ratios are of the second native environment and of the A/A slot to the baseline, by point and block.
With nothing to find, each block's sign is as likely one as the other; so blocks are drawn anew and turned at random,
and the check that reports use may alarm in 5 % of such campaigns at most. That keeps the real distributions.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from primetime.intervals import ALPHA, difference_p, holm
from tests.coverage.simulated import binomial_error

RECORDED = json.loads((Path(__file__).parents[1] / "recorded/primetime-0.1.0-aa-native.json").read_text())
BLOCKS = 10
QUICK, MANY = 1_000, 10_000


def alarms(campaigns: int) -> float:
    """Return the share of resampled campaigns in which any point alarms, Holm over the points."""
    chance = np.random.default_rng(2026)
    pools = {
        point: np.array([d for one in RECORDED for d in one["ln_ratios"][point]]) for point in RECORDED[0]["ln_ratios"]
    }
    drawn = [
        (chance.choice(pool, (campaigns, BLOCKS)) * chance.choice([-1.0, 1.0], (campaigns, BLOCKS))).tolist()
        for pool in pools.values()
    ]
    return sum(min(holm([difference_p(d) for d in family])) <= ALPHA for family in zip(*drawn, strict=True)) / campaigns


def test_five_campaigns_of_ten_blocks_were_recorded() -> None:
    assert len(RECORDED) == 5
    assert all(len(d) >= 2 * BLOCKS - 2 for one in RECORDED for d in one["ln_ratios"].values())


def test_false_alarms_of_resampled_campaigns_quickly() -> None:
    assert alarms(QUICK) <= ALPHA + 3 * binomial_error(ALPHA, QUICK)


@pytest.mark.slow
def test_false_alarms_of_resampled_campaigns() -> None:
    assert alarms(MANY) <= ALPHA + 2 * binomial_error(ALPHA, MANY)


def test_at_most_one_of_the_real_campaigns_alarmed() -> None:
    """As the report judged them: Holm over the points of each campaign, for the A/A slot and for the twin apart."""
    alarmed = 0
    for one in RECORDED:
        for role in ("aa", "again"):
            series = [d[role] for d in one["by_role"].values()]
            alarmed += min(holm([difference_p(d) for d in series])) <= ALPHA
    assert alarmed <= 1
