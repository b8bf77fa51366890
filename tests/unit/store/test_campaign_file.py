"""The campaign file through the runner's eyes: planning, booting, failing, being killed, resuming."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from made_campaign import CPU, RATE, READ, WRITE, Making, make_campaign, study_of

from primetime.errors import UserError
from primetime.model import (
    Block,
    BootStatus,
    CampaignState,
    Fact,
    Measurement,
    Role,
    Slot,
    TrialStatus,
    Usability,
    Usable,
)
from primetime.store import CampaignFile, Counts, TrialResult

MAKING = Making(kinds={"native": "native", "runc": "runc"}, points=(READ, WRITE))
NAMES = (READ.name, WRITE.name)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CampaignFile]:
    """A campaign with one planned block of two slots, two points each."""
    study = study_of(MAKING)
    with CampaignFile.create(tmp_path / "runs" / "made.sqlite", study, 7, "bench") as opened:
        for spec in study.environments:
            opened.add_environment(spec, spec.label, Usability(spec.kind, Usable.YES))
        opened.add_points((point, RATE.name) for point in study.points)
        slots = (
            Slot(1, 0, "native", Role.MAIN, 0, NAMES),
            Slot(1, 1, "runc", Role.MAIN, 0, NAMES),
            Slot(1, 2, "native", Role.AA, 0, NAMES),
        )
        opened.plan_block(Block(1, slots))
        yield opened


def measured(value: float) -> TrialResult:
    """A finished trial with this rate."""
    return TrialResult(TrialStatus.DONE, "", 2.0, (Measurement(RATE, value),), {"out": b"text", "none": b""})


def run_slot(file: CampaignFile, index: int, value: float) -> None:
    """Finish every open trial of a slot with this rate."""
    slot = next(slot for slot in file.open_slots(1) if slot.slot.ord == index)
    boot = file.begin_boot(slot.slot_id, 1.0)
    for trial, _ in slot.remaining_points:
        file.begin_trial(trial, boot)
        file.finish_trial(trial, measured(value))
    file.end_boot(boot, BootStatus.DONE, "", 2.0)


def test_a_new_campaign_keeps_its_study(file: CampaignFile) -> None:
    assert file.study() == study_of(MAKING)
    assert (file.seed(), file.state()) == (7, CampaignState.RUNNING)
    file.set_state(CampaignState.WIDTH)
    assert file.state() is CampaignState.WIDTH


def test_a_planned_block_is_open(file: CampaignFile) -> None:
    assert file.blocks() == [1]
    slots = file.open_slots(1)
    assert [slot.slot.environment for slot in slots] == ["native", "runc", "native"]
    assert [point for _, point in slots[0].remaining_points] == list(NAMES)
    assert slots[0].attempts == 0
    assert file.counts() == Counts(0, 0, 0, 6)


def test_a_finished_trial_is_kept_when_its_boot_dies(file: CampaignFile) -> None:
    slot = file.open_slots(1)[0]
    boot = file.begin_boot(slot.slot_id, 1.0)
    (first, _), (second, _) = slot.remaining_points
    file.begin_trial(first, boot)
    file.finish_trial(first, measured(5.0))
    file.begin_trial(second, boot)
    assert file.running_trials(boot) == [second]
    file.reopen(second, "its boot died")
    file.end_boot(boot, BootStatus.FAILED, "panic", 3.0)
    again = file.open_slot(slot.slot_id)
    assert again.attempts == 1
    assert [point for _, point in again.remaining_points] == [WRITE.name]
    assert again.remaining_points[0][0] != second
    assert file.counts() == Counts(1, 0, 0, 5)


def test_a_cell_with_a_done_trial_is_done_whatever_failed_before(file: CampaignFile) -> None:
    slot = file.open_slots(1)[0]
    boot = file.begin_boot(slot.slot_id, 1.0)
    trial = slot.remaining_points[0][0]
    file.begin_trial(trial, boot)
    file.finish_trial(trial, TrialResult(TrialStatus.FAILED, "noise"))
    assert file.counts().failed == 1
    file.reopen(trial, "noise")
    run_slot(file, 0, 5.0)
    assert file.counts() == Counts(2, 0, 0, 4)


def test_a_killed_run_is_put_in_order(file: CampaignFile) -> None:
    slot = file.open_slots(1)[0]
    boot = file.begin_boot(slot.slot_id, 1.0)
    file.begin_trial(slot.remaining_points[0][0], boot)
    assert file.interrupted() == [boot]
    assert file.interrupted() == []
    again = file.open_slot(slot.slot_id)
    assert again.attempts == 0  # what we stopped ourselves is not the environment's fault
    assert [point for _, point in again.remaining_points] == list(NAMES)
    status = file.rows("SELECT status, reason FROM boots WHERE boot = ?", boot)[0]
    assert tuple(status) == (BootStatus.INTERRUPTED, "primetime was killed")
    assert file.begin_boot(slot.slot_id, 9.0) != boot


def test_slots_are_skipped_and_failed_with_the_reason(file: CampaignFile) -> None:
    first, second, third = file.open_slots(1)
    file.skip_slot(first.slot_id, "not installed")
    file.fail_slot(second.slot_id, "never came up")
    assert file.counts() == Counts(0, 2, 2, 2)
    assert [slot.slot_id for slot in file.open_slots(1)] == [third.slot_id]
    reasons = {row["reason"] for row in file.rows("SELECT reason FROM trials WHERE status = 'failed'")}
    assert reasons == {"never came up"}


def test_ratios_pair_main_slots_by_block(file: CampaignFile) -> None:
    run_slot(file, 0, 10.0)
    run_slot(file, 1, 8.0)
    run_slot(file, 2, 1000.0)  # the A/A slot takes no part
    assert file.log_ratios(READ.name, RATE.name, "runc", "native") == [(1, pytest.approx(math.log(0.8)))]
    assert file.log_ratios(READ.name, CPU.name, "runc", "native") == []


def test_only_planned_trials_begin_and_only_open_ones_end(file: CampaignFile) -> None:
    slot = file.open_slots(1)[0]
    boot = file.begin_boot(slot.slot_id, 1.0)
    trial = slot.remaining_points[0][0]
    with pytest.raises(ValueError, match="neither runs nor failed"):
        file.reopen(trial, "why")
    file.begin_trial(trial, boot)
    with pytest.raises(ValueError, match="not planned"):
        file.begin_trial(trial, boot)
    with pytest.raises(ValueError, match="not a figure"):
        file.finish_trial(trial, measured(math.nan))
    file.finish_trial(trial, measured(1.0))
    with pytest.raises(ValueError, match="ended already"):
        file.finish_trial(trial, measured(2.0))
    assert file.raw(trial) == {"out": b"text"}
    assert file.environment_of(trial) == "native"


def test_a_failed_transaction_leaves_nothing(file: CampaignFile) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        file.plan_block(Block(2, (Slot(2, 0, "native", Role.MAIN, 0, NAMES), Slot(2, 1, "?", Role.MAIN, 0, NAMES))))
    assert file.blocks() == [1]
    file.set_state(CampaignState.BUDGET)  # and the file can still be written


def test_facts_keep_type_and_history(file: CampaignFile) -> None:
    facts = [
        Fact("a", True),
        Fact("b", 2**60),
        Fact("c", 1.5),
        Fact("d", "x"),
        Fact("e", None),
        Fact("a", 1, "boot", "3"),
    ]
    file.add_facts(facts)
    file.add_facts([*facts, Fact("d", "y")])
    assert file.facts() == [*facts, Fact("d", "y")]
    assert file.facts("boot") == [Fact("a", 1, "boot", "3")]


def test_a_boot_knows_its_point_group(file: CampaignFile) -> None:
    slots = tuple(Slot(2, order, "native", Role.MAIN, group, NAMES) for order, group in enumerate((0, 3)))
    file.plan_block(Block(2, slots))
    for slot in file.open_slots(2):
        file.begin_boot(slot.slot_id, 0.0)
    assert [row["point_group"] for row in file.boots()] == [0, 3]


def test_a_fact_that_changes_back_is_the_newest_again(file: CampaignFile) -> None:
    for value in ("A", "A", "B", "B", "A"):
        file.add_facts([Fact("d", value), Fact("d", value, "environment", "runc")])
    assert file.facts("campaign") == [Fact("d", "A"), Fact("d", "B"), Fact("d", "A")]
    assert [fact.value for fact in file.facts("environment")] == ["A", "B", "A"]


def test_in_an_older_file_it_is_at_least_the_newest(file: CampaignFile) -> None:
    with closing(sqlite3.connect(file.path)) as sql:
        sql.execute("CREATE UNIQUE INDEX as_in_format_1 ON fact (scope, scope_id, name, value)")
    for value in ("A", "B", "A"):
        file.add_facts([Fact("d", value)])
    assert file.facts("campaign") == [Fact("d", "B"), Fact("d", "A")]


def test_what_the_survey_says_again_replaces_what_it_said(file: CampaignFile) -> None:
    spec = study_of(MAKING).environments[1]
    file.add_environment(spec, "runc", Usability("runc", Usable.NO, "gone"))
    assert [row["usable"] for row in file.environments()] == [Usable.YES, Usable.NO]


def test_a_backup_is_a_campaign_of_its_own(file: CampaignFile, tmp_path: Path) -> None:
    file.backup(tmp_path / "copy.sqlite")
    with CampaignFile.open(tmp_path / "copy.sqlite", write=False) as copy:
        assert copy.counts() == file.counts()
    with pytest.raises(UserError, match="exists already"):
        file.backup(tmp_path / "copy.sqlite")


def test_an_existing_file_is_never_overwritten(file: CampaignFile) -> None:
    before = file.path.read_bytes()
    with pytest.raises(UserError, match="exists already") as raised:
        CampaignFile.create(file.path, study_of(MAKING), 1, "bench")
    assert "resume" in raised.value.hint
    assert file.path.read_bytes() == before


def test_a_reader_cannot_write(file: CampaignFile) -> None:
    with (
        CampaignFile.open(file.path, write=False) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader.set_state(CampaignState.WIDTH)


def test_a_seed_that_no_file_can_hold(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="64 bits"):
        CampaignFile.create(tmp_path / "x.sqlite", study_of(MAKING), 2**64, "bench")
    assert not (tmp_path / "x.sqlite").exists()


def test_a_campaign_killed_inside_a_write_can_be_read(tmp_path: Path) -> None:
    """A hot journal is left behind by SIGKILL in a transaction; a reader rolls it back."""
    path = make_campaign(tmp_path / "made.sqlite", MAKING)
    program = f"""
import os, signal, sqlite3
sql = sqlite3.connect({str(path)!r}, isolation_level=None)
sql.execute("PRAGMA cache_size = 1")
sql.execute("BEGIN IMMEDIATE")
sql.execute("UPDATE trial SET reason = hex(randomblob(3000))")
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -9
    assert path.with_name(path.name + "-journal").exists()
    with CampaignFile.open(path, write=False) as file:
        assert {row["reason"] for row in file.trials()} == {""}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_file_belongs_to_who_called_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "2345")
    path = tmp_path / "new" / "made.sqlite"
    CampaignFile.create(path, study_of(MAKING), 1, "bench").close()
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)
    assert path.parent.stat().st_uid == 1234
