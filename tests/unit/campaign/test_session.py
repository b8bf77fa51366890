"""What a campaign asks before it touches anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign.plan import plan_block
from primetime.campaign.session import FromFleet, note_plan, require_usable
from primetime.campaign.study_file import load_study
from primetime.campaign.visits import Visits
from primetime.errors import UserError
from primetime.model import Fact, Usability, Usable
from primetime.store import CampaignFile

GONE = Usability("qemu", Usable.NO, "qemu is not installed", "apt-get install qemu-system-x86")


def test_a_study_of_which_nothing_can_run_writes_nothing() -> None:
    with pytest.raises(UserError, match=r"no environment .* \(vm: qemu is not installed\)") as refused:
        require_usable({"vm": GONE})
    assert "primetime doctor" in refused.value.hint


def test_one_that_runs_is_enough() -> None:
    require_usable({"vm": GONE, "native": Usability("native", Usable.CAVEAT)})


def test_a_campaign_that_was_stopped_before_its_points_were_noted_goes_on(tmp_path: Path) -> None:
    study, path = load_study("quick"), tmp_path / "cut.sqlite"
    CampaignFile.create(path, study, 7, "board").close()
    fleet = FromFleet("board", Visits(path, 1.0), (Fact("fleet.address", "192.0.2.7"),))
    with CampaignFile.open(path, write=True) as campaign:
        for _ in range(2):  # what is there already stays
            note_plan(campaign, fleet)
        for spec in study.environments:
            campaign.add_environment(spec, spec.label, Usability(spec.kind, Usable.YES))
        campaign.plan_block(plan_block(study, 7, 1, [point.name for point in study.points], set()))
        assert sum(campaign.counts()) == len(study.environments) * len(study.points)
        assert [fact.value for fact in campaign.facts("campaign")] == ["192.0.2.7"]
