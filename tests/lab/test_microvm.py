"""Firecracker and cloud-hypervisor for real, on a board's KVM: started, measured, and what becomes of a flush.

The program is this host's own (`primetime tools`, PATH); for a board of another architecture it is
`<architecture>/<program>` below the directory that PRIMETIME_TEST_TOOLS names.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from primetime.environments.base import BYPASSES
from primetime.host.process import run
from primetime.images.bundle import write_bundle
from primetime.images.cache import Cache
from primetime.images.file_program import file_program
from primetime.images.guest import GuestImages, build_guest_images
from primetime.images.tools import check_machine, find_tool
from tests.lab.conftest import Lent

BOARDS = pytest.mark.parametrize("kind", ["x86", pytest.param("pi4", marks=pytest.mark.slow)])
MACHINE = {"x86": "x86_64", "pi4": "aarch64"}
TOOLS = "PRIMETIME_TEST_TOOLS"
RUN_LIMIT_S = 3600.0  # a guest in an emulated board on a machine that has other work
POINTS = """
[[points]]
workload = "start"
[[points]]
workload = "fio"
name = "flushed"
rw = "randwrite"
bs = "4KiB"
size = "4MiB"
fsync = 1
runtime = "2s"
[[points]]
workload = "netperf"
test = "stream"
message = "1KiB"
runtime = "2s"
[blocks]
min = 1
max = 1
[pace]
settle = "0s"
settle_limit = "0s"
"""
HEAD = """
title = "a microVM on an emulated board"
baseline = "native"
quick = true
[limits]
cpus = 1
memory = "256MiB"
[volume]
path = "/var/lib/primetime/volume"
size = "96MiB"
[environments.native]
"""
FIRECRACKER = """
[environments.firecracker]
[environments.fc-unsafe]
kind = "firecracker"
cache_type = "Unsafe"
"""
CLOUD_HYPERVISOR = """
[environments.clh]
kind = "cloud-hypervisor"
[environments.clh-direct]
kind = "cloud-hypervisor"
direct = true
"""


def real(name: str, machine: str) -> Path:
    """A real program for a board; without one the test is skipped, before a board is made."""
    directory = os.environ.get(TOOLS)
    path = Path(directory, machine, name) if directory else None
    if (path is None or not path.is_file()) and machine == platform.machine():
        found = find_tool(name)
        path = found.path if found else None
    if path is None or not path.is_file():
        pytest.skip(f"there is no {name} for {machine}: primetime tools install {name}, or {TOOLS}=DIR")
    check_machine(path, machine)
    return path


@pytest.fixture
def firecracker(kind: str) -> Path:
    return real("firecracker", MACHINE[kind])


@pytest.fixture
def cloud_hypervisor() -> Path:
    return real("cloud-hypervisor", MACHINE["x86"])


def entries(images: GuestImages) -> list[Path]:
    """The cache's entries that a board needs to build nothing; the userland is named after the file program in it."""
    program = file_program(Cache(), images.architecture)
    found = [images.disk.parent, images.kernel_image.parent, images.initrd.parent]
    return [*found, program.parent] if program else found


def put_primetime(lent: Lent, machine: str, study: str, tmp_path: Path) -> None:
    """Put the bundle, the images and a study on the board."""
    images = build_guest_images(Cache(), machine, {}, print)
    write_bundle(tmp_path / "primetime.pyz")
    names = [str(path.relative_to("/")) for path in entries(images)]
    packed = tmp_path / "images.tar"
    run(["tar", "-C", "/", "-cf", str(packed), *names], timeout_s=600.0)
    lent.run("tar -C / -xf -", stdin=packed.read_bytes())
    lent.run("cat > /root/primetime.pyz", stdin=(tmp_path / "primetime.pyz").read_bytes())
    lent.run("cat > /root/study.toml", stdin=study.encode())


def measured(lent: Lent, machine: str, program: Path, environments: str, tmp_path: Path) -> sqlite3.Connection:
    """Put all that, and the program, on the board, and measure."""
    put_primetime(lent, machine, HEAD + environments + POINTS, tmp_path)
    there = f"/usr/local/bin/{program.name}"
    lent.run(f"mkdir -p /usr/local/bin && cat > {there} && chmod 755 {there}", stdin=program.read_bytes())
    return carried_out(lent, tmp_path)


def carried_out(lent: Lent, tmp_path: Path) -> sqlite3.Connection:
    """Carry the study on a board out; its campaign, every cell of which is done, if at the second attempt.

    The KVM of an emulated board loses a guest now and then; the runner boots it again.
    """
    command = "cd /root && rm -f c.sqlite && python3 primetime.pyz run study.toml -o c.sqlite"
    print(lent.run(command, limit_s=RUN_LIMIT_S))
    path = tmp_path / "c.sqlite"
    path.write_bytes(lent.read("/root/c.sqlite"))
    campaign = sqlite3.connect(path)
    told = campaign.execute("SELECT environment, point, status, reason FROM trials").fetchall()
    assert {row[:2] for row in told} == {row[:2] for row in told if row[2] == "done"}, told
    return campaign


def values(campaign: sqlite3.Connection, scope: str, name: str) -> dict[str, set[object]]:
    """Environment → what a fact of its boots or trials says."""
    found: dict[str, set[object]] = {}
    table = {"boot": "boots", "trial": "trials"}[scope]
    query = f"SELECT environment, value FROM facts JOIN {table} ON {scope} = scope_id WHERE scope = ? AND name = ?"
    for environment, value in campaign.execute(query, (scope, name)):
        found.setdefault(environment, set()).add(value)
    return found


@BOARDS
def test_a_flush_reaches_the_host_or_does_not(firecracker: Path, lent: Lent, kind: str, tmp_path: Path) -> None:
    with closing(measured(lent, MACHINE[kind], firecracker, FIRECRACKER, tmp_path)) as campaign:
        inside = values(campaign, "boot", "guest.vdb.write_cache")
        flushes = values(campaign, "trial", "evidence.block.data.flush_count")
        raw = campaign.execute("SELECT content FROM raw_output WHERE name = 'evidence.firecracker.metrics'").fetchall()
        rates = campaign.execute("SELECT value FROM measurements WHERE metric = 'rate'").fetchall()
    assert inside == {"firecracker": {"write back"}, "fc-unsafe": {"write through"}}
    assert flushes["fc-unsafe"] == {0.0}
    assert max(float(str(count)) for count in flushes["firecracker"]) > 0
    assert all(b'"block_data"' in zlib.decompress(content) for (content,) in raw)
    assert len(raw) == 6
    assert rates


def test_cloud_hypervisor_with_and_without_the_hosts_cache(
    cloud_hypervisor: Path, x86_board: Lent, tmp_path: Path
) -> None:
    with closing(measured(x86_board, MACHINE["x86"], cloud_hypervisor, CLOUD_HYPERVISOR, tmp_path)) as campaign:
        inside = values(campaign, "boot", "guest.vdb.write_cache")
        past_the_cache = values(campaign, "boot", BYPASSES)
        written = values(campaign, "trial", "evidence.block.data.write_bytes")
        rates = campaign.execute("SELECT value FROM measurements WHERE metric = 'rate'").fetchall()
    assert inside == {"clh": {"write back"}, "clh-direct": {"write back"}}
    assert (past_the_cache["clh"], past_the_cache["clh-direct"]) == ({0}, {1})
    assert all(max(float(str(count)) for count in written[label]) > 0 for label in ("clh", "clh-direct"))
    assert rates
