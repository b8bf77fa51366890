"""Power on an emulated board: a simulated plug whose watts follow the board's real CPU, through a whole campaign."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.conftest import Lent
from tests.lab.test_fleet import only, run

IDLE_W, W_PER_CPU = 2.0, 3.5
PLUG = "/root/plug.py"
PROGRAM = f"""
import random, time
def busy():
    ticks = [int(word) for word in open("/proc/stat").readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / 100
due, last = time.monotonic(), (time.monotonic(), busy())
while True:
    due += 0.1
    time.sleep(max(0.0, due - time.monotonic()))
    now = (time.monotonic(), busy())
    watts = {IDLE_W} + {W_PER_CPU} * (now[1] - last[1]) / (now[0] - last[0]) + random.gauss(0.0, 0.02)
    print(f"{{watts:.2f}}", flush=True)
    last = now
"""
STUDY = f"""
title = "power follows CPU"
[environments.native]
[environments.runc]
[limits]
cpus = 1
memory = "256MiB"
[volume]
size = "96MiB"
[network]
peer = ""
[meter.plug]
kind = "command"
command = "python3 -u {PLUG}"
clock = "arrival"
hz = 10.0
resolution = 0.01
[blocks]
min = 3
max = 3
emulated = 3
aa = false
[pace]
settle = "1s"
settle_limit = "10s"
[[points]]
workload = "ladder"
level = [0, 25, 50, 75, 100]
"""


@pytest.mark.slow
def test_the_line_of_power_on_cpu_is_found(x86_board: Lent, tmp_path: Path) -> None:
    x86_board.run(f"cat > {PLUG}", stdin=PROGRAM.encode())
    directory = only(x86_board, tmp_path, STUDY)
    run(directory, "run", "--study", "given.toml")
    report = json.loads(run(directory, "report", "--json"))
    lines = {line["environment"]: line for line in report["power"]["lines"]}
    assert set(lines) == {"native", "runc"}
    for line in lines.values():
        assert line["slope"]["low"] <= W_PER_CPU <= line["slope"]["high"], line
        assert line["intercept"]["low"] <= IDLE_W <= line["intercept"]["high"], line
