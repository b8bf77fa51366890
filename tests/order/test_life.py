"""The order in which things happen in a boot and a trial, and what a failing boot costs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from primetime.campaign.device import BootStart
from primetime.campaign.fake_device import FakeDevice
from primetime.campaign.groups import grouped
from primetime.campaign.runner import Run, Runner
from primetime.campaign.stopping import WRITTEN, written_bytes
from primetime.campaign.study_file import load_study
from primetime.environments.base import Environment, Instance
from primetime.environments.fake import PROGRAM, FakeInstance
from primetime.errors import CommandTimeout, Interrupted, UserError
from primetime.model import (
    CampaignState,
    Command,
    Event,
    FlashSpec,
    Outcome,
    Point,
    Stopping,
    TrialEnded,
    Usability,
    Usable,
)
from primetime.workloads import workload
from tests.order.campaigns import BLOCKS, Campaign, HungDevice, made_study


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "made.sqlite"


def test_life_of_a_boot(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}}, points=1))
    campaign.run()
    life = ["settle", "boot native", "flush", "end native"]
    assert campaign.device.acts == life * BLOCKS


def test_the_layers_own_counters_stand_with_each_trial(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}}, points=2))
    campaign.run()
    gained = campaign.file.rows("SELECT value FROM facts WHERE scope = 'trial' AND name = 'evidence.runs'")
    assert [row["value"] for row in gained] == [1.0] * BLOCKS * 2
    written = campaign.file.rows("SELECT content FROM raw_output WHERE name = 'evidence.fake.log'")
    assert len(written) == BLOCKS * 2


def test_every_cell_is_measured_once(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "slow": {"factor": 0.5}}))
    assert campaign.run() in (CampaignState.BLOCKS, CampaignState.WIDTH)
    cells = campaign.done()
    assert len(cells) == len(set(cells)) == BLOCKS * 2 * 2


def test_points_stand_in_the_same_order_for_all_environments_of_a_block(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "slow": {}}, points=5))
    campaign.run()
    for block in range(1, BLOCKS + 1):
        orders = {
            label: [point for b, environment_, point in campaign.done() if b == block and environment_ == label]
            for label in ("native", "slow")
        }
        assert orders["native"] == orders["slow"]


def test_a_boot_that_fails_once_gets_another_attempt(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "shaky": {"fail_boots": 1}}))
    campaign.run()
    assert len(campaign.done()) == BLOCKS * 2 * 2
    failed = campaign.file.rows("SELECT reason FROM boots WHERE status = 'failed'")
    assert [row["reason"] for row in failed] == ["fake start: it was told to fail"]
    consoles = campaign.file.rows("SELECT count(*) FROM raw_output WHERE boot IS NOT NULL")
    assert consoles[0][0] == 1


def test_an_environment_that_dies_in_a_trial_keeps_its_finished_trials(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "mortal": {"die_after": 2}}, points=3))
    campaign.run()
    mortal = [cell for cell in campaign.done() if cell[1] == "mortal"]
    assert len(mortal) == len(set(mortal)) == BLOCKS * 2, "two attempts, each dies in its second trial"
    reasons = campaign.file.rows("SELECT DISTINCT reason FROM trials WHERE status = 'failed'")
    assert all("died" in row["reason"] or "told to die" in row["reason"] for row in reasons)
    assert campaign.file.counts().failed == BLOCKS


def test_what_the_kernel_killed_for_want_of_memory_is_the_cause(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "mortal": {"die_after": 2}}, points=3))
    campaign.device.killed = 2
    campaign.run()
    reasons = {row["reason"] for row in campaign.file.rows("SELECT reason FROM boots WHERE status = 'failed'")}
    assert reasons == {"it was told to die (the kernel killed 2 of its processes: its memory limit was reached)"}


def test_what_cannot_run_here_is_skipped_with_the_reason(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "other": {}}))
    campaign.run({"other": Usability("fake", Usable.NO, "there is no such thing here")})
    skipped = campaign.file.rows("SELECT DISTINCT reason FROM trials WHERE status = 'skipped'")
    assert [row["reason"] for row in skipped] == ["there is no such thing here"]
    assert campaign.file.counts().failed == 0


def test_a_primary_metric_that_nothing_gives_fails_the_trial_at_once(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}}), primary="bandwidth")
    campaign.run()
    reasons = {row["reason"] for row in campaign.file.rows("SELECT reason FROM trials WHERE status = 'failed'")}
    assert len(reasons) == 1
    assert reasons.pop().startswith("the study's primary metric bandwidth is not among its figures: ")


def test_emulated_environments_get_one_block(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "vm": {}}))
    campaign.run({"vm": Usability("fake", Usable.CAVEAT, "emulated", emulated=True)})
    assert {cell[0] for cell in campaign.done() if cell[1] == "vm"} == {1}
    assert {cell[0] for cell in campaign.done() if cell[1] == "native"} == set(range(1, BLOCKS + 1))


def test_a_campaign_of_emulated_environments_alone_is_one_block(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "vm": {}}))
    marked = Usability("fake", Usable.CAVEAT, "the device is emulated", emulated=True)
    assert campaign.run({"native": marked, "vm": marked}) is CampaignState.BLOCKS
    assert {cell[:2] for cell in campaign.done()} == {(1, "native"), (1, "vm")}


def test_emulated_environments_get_more_blocks_where_the_study_asks_for_it(path: Path) -> None:
    study = made_study({"native": {}, "vm": {}})
    campaign = Campaign(path, replace(study, stopping=replace(study.stopping, emulated_blocks=2)))
    marked = Usability("fake", Usable.CAVEAT, "the device is emulated", emulated=True)
    assert campaign.run({"native": marked, "vm": marked}) is CampaignState.BLOCKS
    assert {cell[:2] for cell in campaign.done()} == {(b, label) for b in (1, 2) for label in ("native", "vm")}


def test_resume_runs_what_is_left_and_nothing_twice(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "slow": {}}))
    limit = 5

    def stop(event: Event) -> None:
        campaign.events.append(event)
        ended = sum(isinstance(one, TrialEnded) for one in campaign.events)
        if ended == limit and isinstance(event, TrialEnded):
            raise Interrupted("stopped by the test")

    found = {label: Usability("fake", Usable.YES) for label in campaign.members}
    run = Run(campaign.file, campaign.study, campaign.device, campaign.members, found, stop)
    with pytest.raises(Interrupted):
        Runner(run).carry_out(resumed=False)
    before = campaign.done()
    assert len(before) == limit
    [boots] = campaign.file.rows("SELECT count(*) AS count FROM boots")
    starts = campaign.file.rows("SELECT scope_id FROM facts WHERE name = 'host.boot_id'")
    assert len(starts) == boots["count"], "the boot that was cut must say in which start of the host it was"
    campaign.file.interrupted()
    campaign.run(resumed=True)
    after = campaign.done()
    assert after[:limit] == before
    assert len(after) == len(set(after)) == BLOCKS * 2 * 2


def test_an_interrupted_plan_is_the_plan_of_an_uninterrupted_run(tmp_path: Path) -> None:
    whole = Campaign(tmp_path / "whole.sqlite", made_study({"native": {}, "slow": {}}))
    whole.run()
    again = Campaign(tmp_path / "again.sqlite", made_study({"native": {}, "slow": {}}))
    again.run()
    assert whole.done() == again.done()


def test_points_retire_when_their_interval_is_narrow(path: Path) -> None:
    study = made_study({"native": {}, "slow": {"factor": 0.5, "noise": 0.001}})
    campaign = Campaign(path, replace(study, stopping=Stopping(3, 30, 0.05, 3600.0)))
    assert campaign.run() is CampaignState.WIDTH
    assert max(campaign.file.blocks()) < 30


def test_the_baseline_stands_once_more_in_every_block_where_asked(path: Path) -> None:
    study = made_study({"native": {}, "slow": {}})
    campaign = Campaign(path, replace(study, stopping=Stopping(BLOCKS, BLOCKS, 0.05, 3600.0, aa=True)))
    campaign.run()
    boots = campaign.file.rows("SELECT environment, role, count(*) AS boots FROM boots GROUP BY 1, 2 ORDER BY 1, 2")
    assert [tuple(row) for row in boots] == [("native", "aa", 3), ("native", "main", 3), ("slow", "main", 3)]


def test_nothing_more_is_measured_once_enough_was_written(path: Path) -> None:
    study = replace(made_study({"native": {}, "slow": {}}), flash=FlashSpec(max_bytes_written=300))
    campaign = Campaign(path, study)
    campaign.device.wear = 100
    assert campaign.run() is CampaignState.BUDGET
    assert len(campaign.file.rows("SELECT boot FROM boots")) == 3
    skipped = campaign.file.rows("SELECT DISTINCT reason FROM trials WHERE status = 'skipped'")
    assert [row["reason"] for row in skipped] == ["flash.max_bytes_written is reached"]


def test_what_is_written_between_boots_counts_as_well(path: Path) -> None:
    study = replace(made_study({"native": {}, "slow": {}}), flash=FlashSpec(max_bytes_written=300))
    campaign = Campaign(path, study)
    campaign.device.written, campaign.device.booked_bytes = 1250, 1000  # an image was filled, environments were tried
    campaign.device.wear = 25
    assert campaign.run() is CampaignState.BUDGET
    assert len(campaign.file.rows("SELECT boot FROM boots")) == 2


def test_a_boot_that_was_killed_with_us_is_taken_for_the_one_that_wrote_most(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}}))
    campaign.device.wear = 100
    campaign.run()
    assert written_bytes(campaign.file) == 100 * BLOCKS
    boot = campaign.file.rows("SELECT max(boot) AS boot FROM boots")[0]["boot"]
    with sqlite3.connect(path) as sql:
        sql.execute("DELETE FROM fact WHERE scope = 'boot' AND scope_id = ? AND name = ?", (str(boot), WRITTEN))
    assert written_bytes(campaign.file) == 100 * BLOCKS


def test_a_study_that_asks_for_reboots_stops_and_insists(path: Path) -> None:
    study = made_study({"native": {}})
    campaign = Campaign(path, replace(study, stopping=Stopping(BLOCKS, BLOCKS, 0.05, 3600.0, reboot_every=1)))
    with pytest.raises(Interrupted, match="reboot this host now"):
        campaign.run()
    with pytest.raises(UserError, match="between blocks 1 and 2"):
        campaign.run(resumed=True)
    campaign.device.boots_of_host += 1
    with pytest.raises(Interrupted):
        campaign.run(resumed=True)
    assert {cell[0] for cell in campaign.done()} == {1, 2}


def test_many_points_are_split_into_groups_with_boots_of_their_own() -> None:
    study = load_study("quick")
    long = replace(study.points[0], params={**study.points[0].params, "runtime": 600.0})
    points = tuple(replace(long, name=f"p{number}") for number in range(3))
    split = grouped(replace(study, points=points))
    assert [point.group for point in split.points] == [0, 1, 2]
    assert [point.group for point in grouped(study).points] == [0, 0, 0, 0]


def test_flash_rests_after_every_point_that_wrote_and_only_then(path: Path) -> None:
    study = made_study({"native": {}})
    member = workload("fake")
    points = tuple(
        Point(name, "fake", member.check(name, {"writes": writes})) for name, writes in (("w", True), ("r", False))
    )
    campaign = Campaign(path, replace(study, points=points))
    campaign.run()
    assert campaign.device.acts.count("rest") == BLOCKS


def test_what_must_not_matter_is_varied_and_recorded(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}, "slow": {"factor": 0.5}}))
    campaign.run()
    for name in ("setup.padding_bytes", "setup.spacer_bytes", "setup.mac", "setup.first_port"):
        rows = campaign.file.rows("SELECT value FROM facts WHERE scope = 'boot' AND name = ?", name)
        assert len(rows) == BLOCKS * 2
        assert len({row["value"] for row in rows}) > 1


def test_a_study_may_freeze_its_setup(path: Path) -> None:
    campaign = Campaign(path, replace(made_study({"native": {}}), vary_setup=False))
    campaign.run()
    rows = campaign.file.rows("SELECT DISTINCT value FROM facts WHERE name = 'setup.padding_bytes'")
    assert [row["value"] for row in rows] == [0]


def test_iterations_are_measured_in_one_boot_and_count_once(path: Path) -> None:
    study = made_study({"native": {}, "slow": {"factor": 0.5, "noise": 0.01}})
    campaign = Campaign(path, replace(study, stopping=replace(study.stopping, iterations=3)))
    campaign.run()
    assert len(campaign.done()) == BLOCKS * 2 * 2 * 3
    assert campaign.file.rows("SELECT count(*) FROM boots")[0][0] == BLOCKS * 2
    assert campaign.file.counts().done == BLOCKS * 2 * 2 * 3
    ratios = campaign.file.log_ratios("work-0", "rate", "slow", "native")
    assert [block for block, _ in ratios] == list(range(1, BLOCKS + 1))


def test_what_a_tool_said_that_failed_is_kept(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {"fail_at": 1}}))
    campaign.run()
    failed = campaign.file.rows("SELECT trial, reason FROM trials WHERE status = 'failed'")
    assert [row["reason"] for row in failed] == ["fake-work ended with exit code 1: it was told to fail"] * BLOCKS
    for row in failed:
        assert campaign.file.raw(row["trial"]) == {
            "fake.json": b'{"rate": ',
            "fake.json.stderr": b"it was told to fail",
        }


class LateInstance(FakeInstance):
    """An instance in which the workload is killed once its time is over."""

    def run(self, command: Command) -> Outcome:
        if command.argv[0] == PROGRAM:
            raise CommandTimeout(command.argv, command.timeout_s, b"half of it")
        return super().run(command)


class LateDevice(FakeDevice):
    """A device whose environments have such instances."""

    @contextmanager
    def boot(self, environment: Environment, how: BootStart) -> Iterator[Instance]:
        with super().boot(environment, how) as instance:
            assert isinstance(instance, FakeInstance)
            yield LateInstance(instance.environment, instance.name)


def test_what_a_tool_said_until_its_time_was_over_is_kept(path: Path) -> None:
    campaign = Campaign(path, made_study({"native": {}}, points=1))
    campaign.device = LateDevice()
    campaign.run()
    (trial, *_) = campaign.file.rows("SELECT trial, reason FROM trials WHERE status = 'failed'")
    assert "did not end within" in trial["reason"]
    assert campaign.file.raw(trial["trial"]) == {"fake.json": b"half of it"}


@pytest.mark.parametrize("at_end", [True, False])
def test_what_hangs_while_a_signal_is_obeyed_does_not_hide_it(path: Path, at_end: bool) -> None:
    campaign = Campaign(path, made_study({"native": {}}))
    campaign.device = HungDevice(2, at_end)
    with pytest.raises(Interrupted, match="stopped by SIGINT"):
        campaign.run()
    boots = campaign.file.rows("SELECT status FROM boots")
    assert [row["status"] for row in boots] == ["interrupted"]
    assert len(campaign.done()) == 1
    campaign.run(resumed=True)
    assert len(campaign.done()) == BLOCKS * 2
