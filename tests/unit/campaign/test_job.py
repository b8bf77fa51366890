"""A campaign that runs for a controller elsewhere: how it stands, and when its file may be looked at."""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest
from made_campaign import Making, make_campaign

from primetime.campaign.job import SAID_BYTES, Errand, Job
from primetime.campaign.visits import Visits
from primetime.errors import UserError


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "made.sqlite")


def test_nothing_was_ever_started(job: Job) -> None:
    standing = job.standing()
    assert (standing.running, standing.begun, standing.exit_code) == (False, False, None)
    assert not standing.may_be_read


def test_one_process_at_a_time(job: Job) -> None:
    with job.at_work():
        assert job.is_running()
        with pytest.raises(UserError, match="is being measured already"), job.at_work():
            pass
    assert not job.is_running()


def test_a_dead_process_left_no_exit_code(job: Job) -> None:
    with job.at_work():
        job.note(None)
    standing = job.standing()
    assert (standing.running, standing.exit_code) == (False, None)
    job.note(2)
    assert (job.standing().exit_code, job.standing().left) == (2, 0)
    job.note(1, left=3)
    assert (job.standing().exit_code, job.standing().left) == (1, 3)
    with job.at_work():
        assert (job.standing().exit_code, job.standing().left) == (None, 0)


def test_a_campaign_is_not_looked_at_inside_a_block(job: Job) -> None:
    make_campaign(job.campaign, Making(blocks=1))
    visits = Visits(job.campaign, 0.0)
    visits.begin_block(1, 4, 100.0)
    with job.at_work():
        inside = job.standing()
    assert (inside.running, inside.stage, inside.state) == (True, "measuring", "")
    assert not inside.may_be_read
    after = job.standing()
    assert after.may_be_read
    assert (after.state, after.planned) == ("stopped: blocks", 4 * 4)
    assert after.done == after.planned


def test_a_file_that_a_power_cut_left_empty_is_no_campaign(job: Job) -> None:
    job.campaign.touch()
    assert not job.standing().begun


def test_a_copy_is_whole_and_known_by_its_hash(job: Job, tmp_path: Path) -> None:
    make_campaign(job.campaign, Making(blocks=2))
    copy = tmp_path / "copy"
    copy.write_bytes(b"of a visitor who died")
    size, digest = job.copy_to(copy)
    assert size == copy.stat().st_size
    assert digest == sha256(copy.read_bytes()).hexdigest()
    with sqlite3.connect(copy) as sql:
        assert sql.execute("SELECT count(*) FROM trials").fetchone() == (2 * 4 * 4,)


def test_the_end_of_a_long_log(job: Job) -> None:
    job.beside("log").write_bytes(b"x" * 3 * SAID_BYTES + b"\xff the end")
    said = job.standing().said
    assert said.endswith(" the end")
    assert len(said) <= SAID_BYTES


def test_an_errand_is_written_whole(job: Job) -> None:
    errand = Errand("{}", "x86", 20.0, {"fleet.meter": "bench"})
    job.ask(errand)
    assert not list(job.campaign.parent.glob("*.part"))
