"""A known truth, through the whole runner on a fake device: what is there is found, what is not there is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from primetime.analysis import Analysis, analyse
from primetime.model import CampaignState, Comparison, Stopping, Verdict
from primetime.report.html import html_report
from tests.order.test_life import Campaign, made_study

NOISE = 0.02  # sd of a boot's ln
TEN_BLOCKS = Stopping(10, 10, 0.03, 3600.0)


def carried_out(path: Path, factor: float, stopping: Stopping = TEN_BLOCKS) -> Analysis:
    """Run native beside an environment with this factor, and analyse it."""
    settings = {"native": {"noise": NOISE}, "capped": {"noise": NOISE, "factor": factor}}
    study = replace(made_study(settings, points=1), quick=False, stopping=stopping)
    Campaign(path, study).run()
    return analyse(path)


def primary(analysis: Analysis) -> Comparison:
    [one] = [one for one in analysis.comparisons if one.primary]
    return one


def test_a_tenth_less_is_found_different(tmp_path: Path) -> None:
    one = primary(carried_out(tmp_path / "ten.sqlite", 0.90))
    assert one.verdict is Verdict.DIFFERENT
    assert one.interval is not None
    assert one.interval.low < 0.90 < one.interval.high
    assert one.interval.high < 1


def test_half_a_percent_less_is_comparable(tmp_path: Path) -> None:
    one = primary(carried_out(tmp_path / "half.sqlite", 0.995))
    assert (one.verdict, one.margin) == (Verdict.COMPARABLE, 0.05)
    assert one.interval is not None
    assert one.interval.low < 0.995 < one.interval.high


def test_an_aa_slot_stands_in_every_block_and_does_not_alarm(tmp_path: Path) -> None:
    analysis = carried_out(tmp_path / "aa.sqlite", 0.90, replace(TEN_BLOCKS, aa=True))
    assert sum(boot.role == "aa" for boot in analysis.data.boots) == 10
    assert not {"aa-alarm", "aa-few"} & {warning.id for warning in analysis.warnings}


@pytest.mark.parametrize(("width", "state"), [(0.05, CampaignState.WIDTH), (0.0001, CampaignState.BLOCKS)])
def test_it_stops_on_width_or_at_the_cap_and_says_which(tmp_path: Path, width: float, state: CampaignState) -> None:
    analysis = carried_out(tmp_path / "width.sqlite", 0.90, Stopping(10, 14, width, 3600.0))
    assert analysis.data.campaign["state"] == state
    assert ("sequential" in {warning.id for warning in analysis.warnings}) == (state is CampaignState.WIDTH)
    assert ("precision-not-reached" in {one.id for one in analysis.warnings}) == (state is CampaignState.BLOCKS)


def test_iterations_show_where_the_spread_comes_from(tmp_path: Path) -> None:
    """The fake's noise is drawn by boot and argv: iterations of one boot are equal, all spread is between boots."""
    analysis = carried_out(tmp_path / "three.sqlite", 0.9, replace(TEN_BLOCKS, iterations=3))
    [capped] = [one for one in analysis.components if one.environment == "capped"]
    assert (capped.boots, capped.iterations) == (10, 3)
    assert capped.iteration_variance == pytest.approx(0.0, abs=1e-12)
    assert capped.boot_variance == pytest.approx(NOISE**2, rel=0.8)
    page = html_report([analysis])
    assert "Where the spread comes from" in page
    assert "Medians and tails over boots" in page
    assert "Second opinions" in page
    assert primary(analysis).blocks == 10
