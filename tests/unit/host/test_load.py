"""Load pulses: on every CPU, without a program of their own, and gone with the process that made them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from primetime.host.load import burn, load_every_cpu, reachable_cpus

PULSE = """
import sys
sys.executable = "/nonexistent/python"  # started through the userland's loader there is none to start
from primetime.campaign.fake_device import FakeDevice
FakeDevice().full_load(60.0)
"""
LIMIT_S = 20.0


@pytest.fixture
def pulse() -> Iterator[subprocess.Popen[bytes]]:
    """A process in the middle of a long pulse."""
    with subprocess.Popen([sys.executable, "-c", PULSE], env={**os.environ, "PYTHONPATH": ":".join(sys.path)}) as child:
        yield child
        child.kill()


def running_on(pid: int) -> set[str]:
    """The CPU lists that its running threads are confined to."""
    found = set()
    for task in Path(f"/proc/{pid}/task").glob("*/status"):
        words = dict(line.split(":\t", 1) for line in task.read_text().splitlines() if ":\t" in line)
        if words["State"].startswith("R"):
            found.add(words["Cpus_allowed_list"])
    return found


def below(pid: int) -> list[str]:
    """Its children."""
    return [pid for task in Path(f"/proc/{pid}/task").glob("*/children") for pid in task.read_text().split()]


def test_a_pulse_loads_every_cpu_and_dies_with_us(pulse: subprocess.Popen[bytes]) -> None:
    every = {str(cpu) for cpu in reachable_cpus()}
    seen: set[str] = set()
    deadline = time.monotonic() + LIMIT_S
    while not every <= seen and time.monotonic() < deadline:
        assert pulse.poll() is None
        seen |= running_on(pulse.pid)
        time.sleep(0.01)
    assert every <= seen
    assert below(pulse.pid) == []  # nothing that a kill would leave behind
    pulse.send_signal(signal.SIGKILL)
    assert pulse.wait(LIMIT_S) == -signal.SIGKILL


def test_a_pulse_ends_and_leaves_us_where_we_were() -> None:
    before = os.sched_getaffinity(0)
    load_every_cpu(0.01)
    assert os.sched_getaffinity(0) == before


def test_a_cpu_that_cannot_be_loaded_is_not_passed_over() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        burn(4095, threading.Event())
