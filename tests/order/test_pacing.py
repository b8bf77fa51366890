"""Points at a part of the baseline's rate: measured once before block 1, the same for all, kept on resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from primetime.campaign.runner import Run, Runner
from primetime.errors import Interrupted
from primetime.model import Event, Study, TrialStarted, Usability, Usable
from tests.order.campaigns import BLOCKS, Campaign, HungDevice, made_study

ENVIRONMENTS = {"native": {"noise": 0.01}, "slow": {"factor": 0.4, "noise": 0.01}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paced.sqlite"


def paced_study(share: str = "50%") -> Study:
    """One point as fast as it goes, one at a part of what the baseline does."""
    study = made_study(ENVIRONMENTS)
    free, kept = study.points
    return replace(study, points=(free, replace(kept, params={**kept.params, "rate": share})))


def facts(campaign: Campaign) -> dict[str, object]:
    return {fact.name: fact.value for fact in campaign.file.facts("campaign") if fact.name.startswith("pace.")}


def rates(campaign: Campaign, point: str) -> dict[str, set[float]]:
    """What every environment did at a point."""
    found: dict[str, set[float]] = {}
    for row in campaign.file.rows(
        "SELECT environment, value FROM trials JOIN measurements USING (trial) WHERE point = ? AND metric = 'rate'",
        point,
    ):
        found.setdefault(row["environment"], set()).add(row["value"])
    return found


def test_every_environment_keeps_to_the_same_rate(path: Path) -> None:
    campaign = Campaign(path, paced_study())
    campaign.run()
    frozen = facts(campaign)
    baseline = frozen["pace.work-1.baseline"]
    assert isinstance(baseline, float)
    assert frozen["pace.work-1"] == round(baseline / 2)
    assert "pace.work-0" not in frozen, "it keeps to no rate"
    kept = rates(campaign, "work-1")
    assert kept["native"] == {float(round(baseline / 2))}
    assert max(kept["slow"]) < baseline / 2, "who cannot keep to it is not helped"
    assert {fact.name: fact.value for fact in campaign.file.facts("campaign")}["flash.paced_bytes"] == 0
    assert len(campaign.done()) == 2 * 2 * BLOCKS, "what was measured to pace by is no trial"


def test_the_rate_is_measured_once_though_the_campaign_is_resumed(path: Path) -> None:
    campaign = Campaign(path, paced_study())
    started = 0

    def stop(event: Event) -> None:
        nonlocal started
        campaign.events.append(event)
        started += isinstance(event, TrialStarted)
        if started == 3:
            raise Interrupted("enough")

    found = {label: Usability("fake", Usable.YES) for label in campaign.members}
    run = Run(campaign.file, campaign.study, campaign.device, campaign.members, found, stop)
    with pytest.raises(Interrupted):
        Runner(run).carry_out(resumed=False)
    frozen = facts(campaign)
    campaign.file.interrupted()
    boots = campaign.device.acts.count("boot native")
    campaign.run(resumed=True)
    assert facts(campaign) == frozen
    assert len(rates(campaign, "work-1")["native"]) == 1
    assert campaign.device.acts.count("boot native") - boots <= BLOCKS


def test_without_a_baseline_the_point_is_skipped_with_the_reason(path: Path) -> None:
    campaign = Campaign(path, paced_study())
    campaign.run({"native": Usability("fake", Usable.NO, "it is not there")})
    assert facts(campaign) == {"pace.work-1.unknown": "not measured: it is not there"}
    [row] = campaign.file.rows("SELECT DISTINCT reason FROM trials WHERE environment = 'slow' AND point = 'work-1'")
    assert row["reason"] == "what the baseline does there was not measured, so 50% of it is not known"
    assert {environment for _, environment, point in campaign.done() if point == "work-0"} == {"slow"}


@pytest.mark.parametrize("at_end", [True, False])
def test_what_hangs_while_a_signal_is_obeyed_is_not_what_the_baseline_does(path: Path, at_end: bool) -> None:
    campaign = Campaign(path, paced_study())
    campaign.device = HungDevice(1, at_end)
    with pytest.raises(Interrupted, match="stopped by SIGINT"):
        campaign.run()
    assert facts(campaign) == {}
    campaign.run(resumed=True)
    assert "pace.work-1" in facts(campaign)
