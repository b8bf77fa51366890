"""A fleet of emulated boards: whole campaigns over ssh, silence in their windows, and what a power cut leaves."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from primetime.errors import CommandFailed
from primetime.fleet.board import HOME
from primetime.lab import life
from primetime.lab.profiles import profile
from primetime.store import CampaignFile
from tests.lab.conftest import Lent

REPOSITORY = Path(__file__).parents[2]
LIMIT_S = 3000.0
VOLUME = "/var/lib/primetime/volume"
GUESTS = {"x86": ("qemu", "qemu-microvm"), "pi4": ("qemu",)}
POINTS = """
[limits]
cpus = 1
memory = "256MiB"
[volume]
mode = "partition"
erase = true
size = "96MiB"
[blocks]
min = 1
max = 1
[pace]
settle = "0s"
settle_limit = "0s"
[[points]]
workload = "fio"
rw = "randwrite"
bs = "4KiB"
size = "8MiB"
fsync = 1
runtime = "1s"
[[points]]
workload = "netperf"
test = "rr"
runtime = "1s"
"""
LONG = """
title = "long enough to come in between"
quick = true
[environments.native]
[environments.runc]
[limits]
cpus = 1
memory = "256MiB"
[volume]
size = "96MiB"
[network]
peer = ""
[blocks]
min = 1
max = 1
[pace]
settle = "0s"
settle_limit = "0s"
[[points]]
workload = "fio"
rw = ["randread", "randwrite", "read", "write"]
bs = "4KiB"
size = "8MiB"
runtime = "8s"
"""


FINISHED = b"""import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute("SELECT started_at FROM trials WHERE status = 'done'"):
    print(*row)
"""
THIN_DEVICE = "/dev/mapper/fleet-thin"
MAKE_THIN = """
set -e
export DM_DISABLE_UDEV=1
mkdir -p /var/lib/primetime/thin && cd /var/lib/primetime/thin
truncate -s 256M data && truncate -s 8M meta
data=$(losetup --find --show data); meta=$(losetup --find --show meta)
dmsetup create fleet-pool --table "0 524288 thin-pool $meta $data 128 0"
dmsetup message fleet-pool 0 'create_thin 0'
dmsetup create fleet-thin --table '0 262144 thin /dev/mapper/fleet-pool 0'
"""
REMOVE_THIN = """
set -e
export DM_DISABLE_UDEV=1
dmsetup remove fleet-thin && dmsetup remove fleet-pool
for file in data meta; do losetup -d $(losetup --noheadings --output NAME -j /var/lib/primetime/thin/$file); done
rm -r /var/lib/primetime/thin
"""


@contextmanager
def thin_volume(lent: Lent) -> Iterator[str]:
    """A thin volume of device mapper on the board."""
    lent.run(MAKE_THIN)
    try:
        yield THIN_DEVICE
    finally:
        lent.run(REMOVE_THIN)


@contextmanager
def without_python(lent: Lent) -> Iterator[None]:
    """Hide the board's Python."""
    lent.run("mkdir -p /root/hidden && mv /usr/bin/python3* /root/hidden/ && ! which python3")
    try:
        yield
    finally:
        lent.run("mv /root/hidden/* /usr/bin/")


def fleet(directory: Path, *arguments: str) -> list[str]:
    """The command; `directory` holds its fleet file."""
    return [sys.executable, "-m", "primetime", "fleet", *arguments, str(directory / "fleet.toml")]


def started(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    argv = fleet(directory, *arguments)
    return subprocess.Popen(argv, cwd=directory, stdout=pipe, stderr=pipe, text=True, env=environment)


def run(directory: Path, *arguments: str) -> str:
    """Carry it to its end; return stdout."""
    with started(directory, *arguments) as controller:
        out, err = controller.communicate(timeout=LIMIT_S)
    assert controller.returncode == 0, err
    return out


def only(lent: Lent, directory: Path, study: str, volume: str = VOLUME) -> Path:
    """A controller's directory with a fleet of this board alone, and a study."""
    text = lent.fleet.read_text()
    tables = [f"[devices.{part}" for part in text.split("[devices.")[1:]]
    mine = next(table for table in tables if table.startswith(f"[devices.{lent.board.name}]"))
    (directory / "fleet.toml").write_text(mine.replace(f'"{VOLUME}"', f'"{volume}"'))
    (directory / "given.toml").write_text(study)
    return directory


def campaign(directory: Path) -> sqlite3.Connection:
    [path] = directory.glob("runs/*.sqlite")
    return sqlite3.connect(path)


def done_on_board(lent: Lent, directory: Path) -> int:
    """How many trials the campaign has finished on the board, by its log; to look disturbs, and is counted."""
    for record in directory.glob("runs/fleet/*/*.json"):
        with suppress(CommandFailed):  # it has not begun
            return lent.run(f"cat {HOME}/{record.stem}.sqlite.log").count("MB/s")
    return 0


@pytest.mark.parametrize(
    "kind",
    [pytest.param("x86", marks=pytest.mark.required_environment), pytest.param("pi4", marks=pytest.mark.slow)],
)
def test_a_whole_campaign_on_a_board_without_python(lent: Lent, kind: str, tmp_path: Path) -> None:
    """Native, runc and guests under the board's KVM with vhost-net, on a thin volume: silent, complete, all marked."""
    vhost = "".join(f'[environments.{guest}]\nvhost = "on"\n' for guest in GUESTS[kind])
    study = f'title = "all that a board can run"\nquick = true\n[environments.native]\n[environments.runc]\n{vhost}'
    directory = only(lent, tmp_path, study + POINTS, THIN_DEVICE)
    with without_python(lent), thin_volume(lent):
        run(directory, "run", "--study", "given.toml", "--smoke")
    labels = {"native", "runc", *GUESTS[kind]}
    with campaign(directory) as sql:
        told = sql.execute("SELECT environment, point, status, reason FROM trials").fetchall()
        cells = [row[:2] for row in told if row[2] == "done"]  # a boot that the emulator's KVM lost is done again
        assert {cell[0] for cell in cells} == labels, told
        assert len(cells) == len(set(cells)) == len(labels) * 2, told
        packets = [row[0] for row in sql.execute("SELECT value FROM measurements WHERE metric = 'control_packets'")]
        assert packets == [0.0] * len(cells)
        assert {row[0] for row in sql.execute("SELECT value FROM facts WHERE name = 'volume.mode'")} == {"partition"}
        facts = dict(sql.execute("SELECT name, value FROM facts WHERE scope = 'campaign'"))
        assert (facts["machine.emulated"], facts["machine.vhost-net"]) == (kind, 1)
    [path] = directory.glob("runs/*.sqlite")
    with CampaignFile.open(path, write=False) as file:
        said = {row["environment"]: row for row in file.environments()}
    assert all(row["emulated"] and "itself emulated" in row["reason"] for row in said.values())
    assert all("KVM booted a guest" in said[guest]["reason"] for guest in GUESTS[kind])
    report = json.loads(run(directory, "report", "--json"))
    assert report["device"] == kind
    assert all("emulated" in one["warnings"] for one in report["comparisons"])
    assert {one["verdict"] for one in report["comparisons"]} == {"no verdict"}


@pytest.mark.slow
def test_a_visit_inside_a_window_carries_its_warning(x86_board: Lent, tmp_path: Path) -> None:
    directory = only(x86_board, tmp_path, LONG)
    controller = started(directory, "run", "--study", "given.toml")
    ended = threading.Event()

    def come() -> None:
        while not ended.wait(1.0):
            x86_board.run("true")

    wait_for(lambda: done_on_board(x86_board, directory) >= 2, controller)
    visitor = threading.Thread(target=come)
    visitor.start()
    time.sleep(30.0)
    ended.set()
    visitor.join()
    _, err = controller.communicate(timeout=LIMIT_S)
    assert controller.returncode == 0, err
    warnings = json.loads(run(directory, "report", "--json"))["warnings"]
    assert "foreign-packets" in {one["id"] for one in warnings}


@pytest.mark.slow
def test_a_power_cut_costs_no_finished_trial(x86_board: Lent, tmp_path: Path) -> None:
    directory = only(x86_board, tmp_path, LONG)
    controller = started(directory, "run", "--study", "given.toml")
    wait_for(lambda: done_on_board(x86_board, directory) >= 3, controller)
    life.kill(x86_board.board)
    controller.kill()
    controller.communicate()
    life.up(x86_board.board, profile("x86"), fresh=False, progress=print)
    [record] = directory.glob("runs/fleet/x86/*.json")
    survived = x86_board.run(f"python3 - {HOME}/{record.stem}.sqlite", stdin=FINISHED).split()
    assert len(survived) >= 3
    run(directory, "resume", "--now")
    with campaign(directory) as sql:
        assert set(survived) <= {row[0] for row in sql.execute("SELECT started_at FROM trials WHERE status = 'done'")}
        cells = list(sql.execute("SELECT block, environment, point FROM trials WHERE status = 'done'"))
        assert len(cells) == len(set(cells)) == 2 * 4
        assert "interrupted" in {row[0] for row in sql.execute("SELECT status FROM boots")}
        assert len(set(sql.execute("SELECT value FROM facts WHERE name = 'host.boot_id'"))) == 2
    warnings = json.loads(run(directory, "report", "--json"))["warnings"]
    assert "host-rebooted" in {one["id"] for one in warnings}
    left = x86_board.run("ls -A /var/lib/primetime/volume; ls /run/netns /sys/fs/cgroup/primetime 2>&1 || true")
    assert "primetime-volume" not in left
    assert left.count("No such file") == 2


def wait_for(condition: Callable[[], bool], controller: subprocess.Popen[str]) -> None:
    """Wait until something is true of a board that a controller attends to."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert controller.poll() is None, controller.communicate()
        assert time.monotonic() < deadline
        time.sleep(2.0)
