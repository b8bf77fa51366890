"""`kill -9` in the middle: no finished trial is run again or lost, and the machine is as before."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.host.finished import done_trials, trials
from tests.host.machine import standing

LIMIT_S = 240.0
STUDY = """
title = "killed in the middle"
baseline = "native"
[limits]
cpus = 1
memory = "256MiB"
[volume]
path = "{path}"
size = "96MiB"
[environments.native]
[environments.runc]
[[points]]
workload = "fio"
rw = ["randread", "randwrite"]
bs = "4KiB"
size = "8MiB"
runtime = "1s"
[[points]]
workload = "netperf"
test = "rr"
runtime = "1s"
[blocks]
min = 2
max = 2
[pace]
settle = "0s"
settle_limit = "0s"
"""


def primetime(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "primetime", *arguments]


def killed_after(campaign: Path, study: Path, count: int) -> list[tuple[object, ...]]:
    """Start a run and kill it once so many trials are done, in the middle of the next."""
    run = subprocess.Popen(primetime("run", str(study), "-o", str(campaign)), stderr=subprocess.PIPE)
    deadline = time.monotonic() + LIMIT_S
    while len(trials(campaign)) < count:
        if run.poll() is not None or time.monotonic() > deadline:
            run.kill()
            _, words = run.communicate()
            pytest.fail(f"it ended before it could be killed: {words.decode()[-2000:]}")
        time.sleep(0.05)
    time.sleep(0.6)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    return done_trials(campaign)


@pytest.fixture
def study(tmp_path: Path, volume_path: Path) -> Path:
    path = tmp_path / "killed.toml"
    path.write_text(STUDY.format(path=volume_path))
    return path


def test_killed_then_resumed(tmp_path: Path, study: Path) -> None:
    before = standing()
    campaign = tmp_path / "killed.sqlite"
    survived = killed_after(campaign, study, count=4)
    assert standing() != before, "the kill left nothing: it came too late to show anything"
    resumed = subprocess.run(primetime("resume", str(campaign)), capture_output=True, timeout=LIMIT_S, check=False)
    assert resumed.returncode == 0, resumed.stderr.decode()[-2000:]
    after = done_trials(campaign)
    assert [row for row in after if row in survived] == survived
    with sqlite3.connect(campaign) as sql:
        cells = sql.execute(
            "SELECT b.block, b.ord, t.point, count(*) FROM trials t JOIN boots b USING (boot) "
            "WHERE t.status = 'done' GROUP BY 1, 2, 3"
        ).fetchall()
        statuses = {row[0] for row in sql.execute("SELECT status FROM boots")}
    assert len(cells) == 2 * 3 * 3  # blocks × (native, runc, native once more as A/A) × points
    assert {row[3] for row in cells} == {1}, "a finished trial was run again"
    assert "interrupted" in statuses
    assert standing() == before


def test_killed_then_cleaned(tmp_path: Path, study: Path) -> None:
    before = standing()
    killed_after(tmp_path / "cleaned.sqlite", study, count=1)
    assert standing() != before
    cleaned = subprocess.run(primetime("clean"), capture_output=True, timeout=LIMIT_S, check=False)
    assert cleaned.returncode == 0, cleaned.stderr.decode()
    assert standing() == before


def test_interrupted_undoes_everything_and_can_be_resumed(tmp_path: Path, study: Path) -> None:
    before = standing()
    campaign = tmp_path / "interrupted.sqlite"
    run = subprocess.Popen(primetime("run", str(study), "-o", str(campaign)), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + LIMIT_S
    while not done_trials(campaign) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=60) == 130
    assert standing() == before
    with sqlite3.connect(campaign) as sql:
        assert sql.execute("SELECT state FROM campaign").fetchone() == ("running",)


def test_a_second_measurement_is_refused(tmp_path: Path, study: Path) -> None:
    campaign = tmp_path / "first.sqlite"
    run = subprocess.Popen(primetime("run", str(study), "-o", str(campaign)), stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + LIMIT_S
        while not campaign.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        second = subprocess.run(
            primetime("run", str(study), "-o", str(tmp_path / "second.sqlite")), capture_output=True, check=False
        )
        assert second.returncode == 2
        assert b"this device is busy" in second.stderr
        assert b"Traceback" not in second.stderr
    finally:
        run.send_signal(signal.SIGTERM)
        run.wait(timeout=60)
