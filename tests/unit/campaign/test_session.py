"""What a campaign asks before it touches anything."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from primetime.campaign.plan import plan_block
from primetime.campaign.session import FromFleet, begin, note_plan, require_usable, resume
from primetime.campaign.study_file import load_study
from primetime.campaign.visits import Visits
from primetime.campaign.whose import this_device
from primetime.errors import UserError
from primetime.model import CampaignState, Event, Fact, Usability, Usable
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


class Began(Exception):
    """A campaign got as far as the device, which these tests leave alone."""


@pytest.fixture
def no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop where the device would be opened or put right."""

    def stop(*anything: object) -> NoReturn:
        raise Began

    monkeypatch.setattr("primetime.campaign.session.require_root", str)
    monkeypatch.setattr("primetime.campaign.session.opened", stop)
    monkeypatch.setattr("primetime.campaign.session.put_right_if_idle", stop)


def nobody(event: Event) -> None:
    """Listen to what must not happen."""
    raise AssertionError(f"something began: {event}")


@pytest.mark.usefixtures("no_device")
def test_another_devices_campaign_is_not_gone_on_with_here(tmp_path: Path) -> None:
    path = tmp_path / "copied.sqlite"
    CampaignFile.create(path, load_study("quick"), 7, "x86 board").close()
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"is a campaign of the device 'x86 board', not of this one") as refused:
        resume(path, nobody)
    assert "primetime fleet resume" in refused.value.hint
    assert f"hostname 'x86 board', then: primetime resume {path}" in refused.value.hint  # where it was renamed
    assert path.read_bytes() == before


@pytest.mark.usefixtures("no_device")
@pytest.mark.parametrize("ask", [None, "x86 board"])
def test_a_campaign_of_this_device_or_of_a_controller_is_gone_on_with(tmp_path: Path, ask: str | None) -> None:
    path = tmp_path / "own.sqlite"
    CampaignFile.create(path, load_study("quick"), 7, ask or this_device()).close()
    with pytest.raises(Began):
        resume(path, nobody, FromFleet(ask, Visits(path, 1.0)) if ask else None)


@pytest.mark.usefixtures("no_device")
def test_another_devices_campaign_that_has_ended_may_still_be_told_again(tmp_path: Path) -> None:
    path = tmp_path / "ended.sqlite"
    with CampaignFile.create(path, load_study("quick"), 7, "x86 board") as campaign:
        campaign.set_state(CampaignState.BLOCKS)
    with pytest.raises(Began):  # what is left on this device is put right
        resume(path, nobody)


@pytest.mark.usefixtures("no_device")
def test_a_seed_that_no_file_can_hold_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="64 bits"):
        begin(load_study("quick"), tmp_path / "never.sqlite", 10**22, nobody)
    assert list(tmp_path.iterdir()) == []
