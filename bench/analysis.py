"""What it costs to understand a large campaign.

A campaign of 100 000 trials is made (5 environments, 20 points, 1000 blocks, 38 figures per trial, 30 facts per boot),
then analysed and reported as `primetime report` does it: table, warnings, HTML. One line per figure:

report_seconds_over_60, report_cpu_over_60, report_memory_over_2_gb: at 100 000 trials; must be below 1. The first is
the clock's, which on a busy machine is the others' too; the second is CPU time.
report_cpu_per_trial_over_half: CPU time per trial at 100 000 ÷ that at 50 000; 1 is linear.
report_over_pandas_bootstrap: CPU time of the whole report ÷ that of a plain pandas group-by bootstrap of its primary
ratios alone (5000 resamples, timed over 100 and scaled). It needs pandas, which is a package of development.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from primetime.campaign.study_file import load_study
from primetime.model import EnvironmentSpec, Point, Stopping, Study, Usability, Usable
from primetime.store import CampaignFile

LABELS = {"native": "native", "runc": "runc", "crun": "crun", "gvisor": "gvisor", "microvm": "qemu-microvm"}
POINTS = 20
FIGURES = (
    "rate", "context_switches", "cpu_busy", "cpu_environment", "cpu_guest", "cpu_irq", "cpu_outside", "cpu_peer",
    "cpu_per_gb", "cpu_residual", "cpu_rest", "cpu_softirq", "cpu_steal", "cpu_system", "cpu_tasks", "cpu_user",
    "disk_flushes", "disk_read", "disk_written", "environment_anon_after", "environment_dirty_after",
    "environment_file_after", "host_dirty_after", "interrupts", "iops", "latency_mean", "latency_p50", "latency_p99",
    "latency_p99.9", "net_bytes", "net_dropped", "net_packets", "observer_cpu", "observer_read", "observer_written",
    "softirqs", "tool_duration", "work_bytes",
)  # fmt: skip
SCALE = {"rate": 50e6, "cpu_busy": 2.0, "cpu_environment": 1.9, "cpu_outside": 0.001, "cpu_residual": 0.01}
FACTS_PER_BOOT = 30
RESAMPLES, TIMED = 5000, 100
FULL = int(os.environ.get("BENCH_TRIALS", "100000"))


def main() -> None:
    """Print one line per figure."""
    with tempfile.TemporaryDirectory() as directory:
        half, full = (made(Path(directory, f"{trials}.sqlite"), trials) for trials in (FULL // 2, FULL))
        _, half_cpu, _ = reported(half)
        seconds, cpu, memory = reported(full)
        print("report_seconds_over_60", round(seconds / 60, 3), flush=True)
        print("report_cpu_over_60", round(cpu / 60, 3), flush=True)
        print("report_memory_over_2_gb", round(memory / 2e9, 3), flush=True)
        print("report_cpu_per_trial_over_half", round(cpu / (2 * half_cpu), 3), flush=True)
        print("report_over_pandas_bootstrap", round(cpu / with_pandas(full), 3), flush=True)


def reported(path: Path) -> tuple[float, float, float]:
    """Report a campaign in a process of its own; return (seconds, CPU seconds, peak bytes)."""
    argv = [sys.executable, "-m", "primetime", "report", str(path)]
    t0 = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1])
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError("primetime report failed")
    return time.monotonic() - t0, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024.0


def with_pandas(path: Path) -> float:
    """Return the CPU seconds of a plain group-by bootstrap: read, pair by block, resample every group, quantiles."""
    t0 = time.process_time()
    with closing(sqlite3.connect(path)) as connection:
        frame = pd.read_sql(
            "SELECT block, environment, point, value FROM trials JOIN measurements USING (trial) WHERE metric = 'rate'",
            connection,
        )
    base = frame[frame.environment == "native"][["block", "point", "value"]].rename(columns={"value": "base"})
    pairs = frame[frame.environment != "native"].merge(base, on=["block", "point"])
    read_s = time.process_time() - t0
    ratios = []
    t0 = time.process_time()
    for seed in range(TIMED):
        drawn = pairs.groupby(["environment", "point"]).sample(frac=1.0, replace=True, random_state=seed)
        means = drawn.groupby(["environment", "point"])[["value", "base"]].mean()
        ratios.append(means["value"] / means["base"])
    pd.concat(ratios, axis=1).quantile([0.025, 0.975], axis=1)
    return read_s + (time.process_time() - t0) * RESAMPLES / TIMED


def made(path: Path, trials: int) -> Path:
    """Write a campaign of so many trials straight into its tables: through the runner's calls it would take an hour."""
    blocks = trials // (len(LABELS) * POINTS)
    study = study_of(blocks)
    with CampaignFile.create(path, study, 7, "bench") as file:
        for spec in study.environments:
            file.add_environment(spec, spec.label, Usability(spec.kind, Usable.YES))
        file.add_points((point, "rate") for point in study.points)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("PRAGMA synchronous = OFF")
        for table, rows in tables(blocks):
            sql.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        sql.execute("UPDATE campaign_record SET state = 'stopped: blocks'")
        sql.commit()
    return path


def study_of(blocks: int) -> Study:
    """The study of a made campaign."""
    study = load_study("quick")
    params = {**study.points[0].params}
    return replace(
        study,
        name="bench",
        quick=False,
        environments=tuple(EnvironmentSpec(label, kind) for label, kind in LABELS.items()),
        points=tuple(Point(f"read-{number}", "fio", params) for number in range(POINTS)),
        stopping=Stopping(10, blocks, 0.03, 1e9),
        text="",
    )


def tables(blocks: int) -> list[tuple[str, list[tuple[object, ...]]]]:
    """Rows for every table: log-normal figures with a level per block, environment and point."""
    chance = np.random.default_rng(7)
    slots, boots, trials, figures, facts = [], [], [], [], []
    for block in range(1, blocks + 1):
        level = chance.normal(0, 0.02, POINTS)
        for ord_, (label, slowness) in enumerate(zip(LABELS, (0.0, 0.01, 0.03, 0.35, 0.6), strict=True), start=1):
            number = len(slots) + 1
            slots.append((number, block, ord_, label, "main", 0, "[]"))
            boots.append((number, number, 1, "done", "", number * 50.0, number * 50.0 + 45.0, ""))
            facts += [(None, "boot", str(number), f"fact.{one}", str(ord_ * one)) for one in range(FACTS_PER_BOOT)]
            facts.append((None, "boot", str(number), "limits.memory_bytes", "536870912"))
            facts.append((None, "boot", str(number), "limits.vmm_cap_bytes", "636870912"))
            noise = np.exp(chance.normal(0, 0.03, (POINTS, len(FIGURES))) + level[:, None] - slowness)
            for place, row in enumerate(noise.tolist()):
                trial = len(trials) + 1
                trials.append((trial, number, f"read-{place}", place, number, "done", "", "", 2.0))
                figures += [
                    (trial, name, SCALE.get(name, 1.0) * value, "B/s" if name == "rate" else "s", "higher", "cost")
                    for name, value in zip(FIGURES, row, strict=True)
                ]
    return [("slot", slots), ("boot", boots), ("trial", trials), ("measurement", figures), ("fact", facts)]


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
