"""Instruments and knobs on this machine: a real child in a real cgroup, the kernel's real answers."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host.cgroup import Cgroup
from primetime.host.knobs import knob, show_all, tuned
from primetime.host.ledger import Act, Ledger
from primetime.host.lock import device_lock
from primetime.host.process import Spawning, run, spawn
from primetime.host.routes import control_interface
from primetime.host.undo import UNDOS
from primetime.instruments import default_instruments
from primetime.instruments.memory import footprint_bytes
from primetime.instruments.sampler import Sampler
from primetime.model import Footprint, Scalar, SeriesChunk

pytestmark = pytest.mark.usefixtures("unchanged")
WINDOW_S = 2.0
SLACK_S = 0.05  # five ticks: counters and clocks are not read at one instant
SPIN = "while True: pass"
SLEEP = "import time; time.sleep(60)"
SHOW_LAST = """
from primetime.instruments.base import KeptFile
text = KeptFile("/proc/net/dev").read().decode()
print(len(text.splitlines()) - 2, text.splitlines()[-1].split(":")[0].strip())
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", UNDOS)


@contextmanager
def running(name: str, program: str, ledger: Ledger) -> Iterator[tuple[Cgroup, int]]:
    """A Python program in a cgroup of its own."""
    group = Cgroup(f"primetime-test-{os.getpid()}/{name}")
    with ledger.undone(Act("cgroup", {"name": group.name.split("/", maxsplit=1)[0]})):
        group.create()
        argv = [sys.executable, "-c", program]
        with group.placement() as placement, spawn(argv, Spawning(placement=placement)) as child:
            yield group, child.pid


@dataclass(frozen=True)
class Watched:
    """One window: figures and series by name, and its length from the first reading to the last."""

    figures: dict[str, float]
    series: dict[str, SeriesChunk]
    seconds: float


def watched(footprint: Footprint, volume: Path) -> Watched:
    """Hold one window with every instrument that this machine has."""
    with Sampler(default_instruments(volume, control_interface()), footprint) as sampler:
        before = sampler.edge()
        sampler.hold(WINDOW_S)
        after = sampler.edge()
        measured = {one.metric.name: one.value for one in sampler.measurements(before, after)}
        series = {one.instrument: one for one in sampler.chunks()}
        assert sampler.facts() == ()
    assert not [thread for thread in threading.enumerate() if thread.name == "primetime-sampler"]
    moments = [one[0] for edge in (before, after) for one in edge.readings if one]
    return Watched(measured, series, max(moments) - min(moments))


def test_a_busy_child_is_billed_to_its_cgroup(ledger: Ledger, volume_path: Path) -> None:
    with running("busy", SPIN, ledger) as (group, pid):
        seen = watched(Footprint(cgroups=(group.name,)), volume_path.parent)
        assert footprint_bytes(Footprint(cgroups=(group.name,))) > 1 << 20
    assert 0.1 < seen.figures["cpu_environment"] <= seen.seconds + SLACK_S  # one thread; others may want the CPUs
    assert seen.figures["cpu_environment"] <= seen.figures["cpu_busy"] + SLACK_S
    assert seen.figures["cpu_busy"] <= seen.seconds * (os.cpu_count() or 1)
    assert seen.figures["environment_anon_after"] > 0
    thread = [channel.name for channel in seen.series["threads"].channels if f".{pid}." in channel.name]
    assert {name.rpartition(".")[2] for name in thread} == {"user", "system", "cpu"}
    assert len(seen.series["cpu"].t) > len(seen.series["percpu"].t) >= 3


def test_a_sleeping_child_costs_next_to_nothing(ledger: Ledger, volume_path: Path) -> None:
    with running("idle", SLEEP, ledger) as (group, _):
        seen = watched(Footprint(cgroups=(group.name,)), volume_path.parent)
    assert seen.figures["cpu_environment"] < WINDOW_S / 4  # the interpreter's start is in it


def test_a_process_is_billed_once_though_footprint_and_cgroup_both_name_it(ledger: Ledger, volume_path: Path) -> None:
    with running("twice", SPIN, ledger) as (group, pid):
        seen = watched(Footprint(cgroups=(group.name,), pids=(pid,)), volume_path.parent)
        assert not [one.name for one in seen.series["cgroup"].channels if one.name.startswith("outside")]
        assert seen.figures["cpu_environment"] <= seen.seconds + SLACK_S  # one thread: at most one CPU
        alone = watched(Footprint(pids=(pid,)), volume_path.parent)
        assert 0.1 < alone.figures["cpu_environment"] <= alone.seconds + SLACK_S


def test_the_last_of_many_interfaces_is_seen() -> None:
    """The kernel hands /proc/net/dev out in pieces, and a boot's interface is its last line."""
    many = "".join(f"link add many{number} type veth peer name peer{number}\n" for number in range(40))
    add = f"import subprocess; subprocess.run(['ip', '-batch', '-'], input={many!r}, text=True, check=True)"
    script = f"{add}\n{SHOW_LAST}"
    said = run(["unshare", "--net", sys.executable, "-c", script], timeout_s=60, spawning=Spawning(cwd=Path.cwd()))
    count, last = said.stdout.decode().split()
    assert int(count) >= 81
    assert last in ("many39", "peer39")


def test_knobs_are_applied_and_put_back_as_they_were(ledger: Ledger) -> None:
    before = show_all()
    limits = {"dirty_bytes": 64 << 20, "dirty_background_bytes": 16 << 20}
    values: dict[str, Scalar] = {**limits, "swappiness": 10, "thp": "never", "turbo": False}
    with device_lock("knob test"), tuned(ledger, values) as facts:
        said = {fact.name: fact.value for fact in facts}
        assert said["tuning.dirty_bytes"] == str(64 << 20)
        assert said["tuning.swappiness"] == "10"
        assert Path("/proc/sys/vm/dirty_ratio").read_text().strip() == "0"
    assert show_all() == before
    assert Path("/proc/sys/vm/dirty_ratio").read_text().strip() != "0"
    assert ledger.entries() == []


def test_a_word_that_this_kernel_refuses_changes_nothing(ledger: Ledger) -> None:
    if knob("thp").available():
        pytest.skip(knob("thp").available())
    before = show_all()
    with (
        device_lock("knob test"),
        pytest.raises(UserError, match=r"tuning\.thp cannot be sometimes on this device"),
        tuned(ledger, {"swappiness": 10, "thp": "sometimes"}),
    ):
        pytest.fail("the kernel took it")
    assert show_all() == before
    assert ledger.entries() == []
