"""Firecracker for real, on a board's KVM: started, measured, and what becomes of a flush.

The program is this host's own (`primetime tools`, PATH); for a board of another architecture it is
`<architecture>/firecracker` below the directory that PRIMETIME_TEST_TOOLS names.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import zlib
from pathlib import Path

import pytest

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
STUDY = """
title = "firecracker on an emulated board"
baseline = "native"
quick = true
[limits]
cpus = 1
memory = "256MiB"
[volume]
path = "/var/lib/primetime/volume"
size = "96MiB"
[environments.native]
[environments.firecracker]
[environments.fc-unsafe]
kind = "firecracker"
cache_type = "Unsafe"
"""


@pytest.fixture
def firecracker(kind: str) -> Path:
    """A real firecracker for a board; without one the test is skipped, before a board is made."""
    machine = MACHINE[kind]
    directory = os.environ.get(TOOLS)
    path = Path(directory, machine, "firecracker") if directory else None
    if (path is None or not path.is_file()) and machine == platform.machine():
        found = find_tool("firecracker")
        path = found.path if found else None
    if path is None or not path.is_file():
        pytest.skip(f"there is no firecracker for {machine}: primetime tools install firecracker, or {TOOLS}=DIR")
    check_machine(path, machine)
    return path


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


def prepare(lent: Lent, machine: str, firecracker: Path, tmp_path: Path) -> None:
    """Put all that, and firecracker, on the board."""
    put_primetime(lent, machine, STUDY + POINTS, tmp_path)
    lent.run("mkdir -p /usr/local/bin && cat > /usr/local/bin/firecracker && chmod 755 /usr/local/bin/firecracker",
             stdin=firecracker.read_bytes())  # fmt: skip


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
    prepare(lent, MACHINE[kind], firecracker, tmp_path)
    command = "cd /root && rm -f c.sqlite && python3 primetime.pyz run study.toml -o c.sqlite"
    print(lent.run(command, limit_s=RUN_LIMIT_S))
    path = tmp_path / "c.sqlite"
    path.write_bytes(lent.read("/root/c.sqlite"))
    with sqlite3.connect(path) as campaign:
        failed = campaign.execute("SELECT environment, point, reason FROM trials WHERE status <> 'done'").fetchall()
        inside = values(campaign, "boot", "guest.vdb.write_cache")
        flushes = values(campaign, "trial", "evidence.block.data.flush_count")
        raw = campaign.execute("SELECT content FROM raw_output WHERE name = 'evidence.firecracker.metrics'").fetchall()
        rates = campaign.execute("SELECT value FROM measurements WHERE metric = 'rate'").fetchall()
    assert failed == []
    assert inside == {"firecracker": {"write back"}, "fc-unsafe": {"write through"}}
    assert flushes["fc-unsafe"] == {0.0}
    assert max(float(str(count)) for count in flushes["firecracker"]) > 0
    assert all(b'"block_data"' in zlib.decompress(content) for (content,) in raw)
    assert len(raw) == 6
    assert rates
