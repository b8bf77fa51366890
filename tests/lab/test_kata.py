"""Kata for real, on a board's KVM: started, measured, what becomes of a flush, and what is left behind.

The installation is what PRIMETIME_TEST_TOOLS names (`x86_64/kata` below it, laid out like /opt/kata), this host's
/opt/kata, or what `primetime tools install kata` brought.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from primetime.environments.kata_config import (
    CLOUD_HYPERVISOR,
    FIRECRACKER,
    QEMU,
    USUAL,
    KataInstallation,
    find_installation,
    values_of,
)
from primetime.host.process import run
from tests.lab.conftest import Lent
from tests.lab.test_microvm import MACHINE, POINTS, RUN_LIMIT_S, TOOLS, carried_out, put_primetime, values

pytestmark = pytest.mark.slow
KIND = "x86"
PACK_LIMIT_S = 600.0
COMMON = """
title = "kata on an emulated board"
baseline = "native"
quick = true
[limits]
cpus = 1
memory = "384MiB"
[volume]
path = "/var/lib/primetime/volume"
size = "96MiB"
[environments.native]
"""
ON_QEMU = """
[environments.kata]
[environments.kata-unsafe]
kind = "kata"
cache = "unsafe"
[environments.kata-shared]
kind = "kata"
snapshotter = "overlayfs"
shared_fs = "virtio-fs"
"""
ON_FIRECRACKER = """
[environments.kata-fc]
kind = "kata"
hypervisor = "fc"
[environments.kata-fc-unsafe]
kind = "kata"
hypervisor = "fc"
cache = "unsafe"
"""
ON_CLOUD_HYPERVISOR = """
[environments.kata-clh]
kind = "kata"
hypervisor = "clh"
[environments.kata-clh-shared]
kind = "kata"
hypervisor = "clh"
snapshotter = "overlayfs"
shared_fs = "virtio-fs"
"""
STANDING = r"""
for d in /run /run/vc /run/vc/* /run/kata* /run/kata-containers/* /run/kata-containers/shared/* \
    /run/containerd /run/containerd/s /run/netns /dev/mapper /run/primetime /run/primetime/*; do
    [ -d $d ] && ls -d $d/*
done 2> /dev/null | grep -vE '^/run/(crun|primetime|primetime/lock|primetime/ledger)$' | sort -u
DM_DISABLE_UDEV=1 dmsetup ls; losetup --list --noheadings --output NAME,BACK-FILE
find /sys/fs/cgroup -type d | grep -v '^/sys/fs/cgroup/primetime$' | sort
cut -d' ' -f5 /proc/self/mountinfo | sort
ip -brief link | cut -d' ' -f1 | sort
for p in /proc/[0-9]*; do
    n=$(cat $p/comm 2> /dev/null)
    case $n in containerd*|qemu*|firecracker*|cloud-hyper*|jailer*|virtiofsd*|fc_vcpu*) echo "process $n" ;; esac
done
true
"""


def installed(hypervisor: str) -> KataInstallation:
    """An installation with this hypervisor: the tests' own, else what an environment finds here; else a skip."""
    named = os.environ.get(TOOLS)
    own = [str(Path(named, MACHINE[KIND], "kata"))] if named else []
    common = {"hypervisor": hypervisor, "snapshotter": "devmapper", "shared_fs": "none", "cache": "safe"}
    for place in (*own, ""):
        found = find_installation(values_of({**common, "runtime": "auto", "install": place}))
        if found is not None:
            return found
    pytest.skip(f"no Kata with {hypervisor}: primetime tools install kata, or {TOOLS}=DIR with {MACHINE[KIND]}/kata")


@contextmanager
def prepared(request: pytest.FixtureRequest, hypervisor: str, environments: str) -> Iterator[Lent]:
    """A board with primetime, a study and Kata in its usual place. What is left over there at the end is a failure."""
    installation = installed(hypervisor)  # or a skip, before a board is made
    lent: Lent = request.getfixturevalue("x86_board")
    tmp_path: Path = request.getfixturevalue("tmp_path")
    put_primetime(lent, MACHINE[KIND], COMMON + environments + POINTS, tmp_path)
    packed = tmp_path / "kata.tar"
    run(["tar", "-C", str(installation.root), "-cf", str(packed), "."], timeout_s=PACK_LIMIT_S)
    lent.run(f"rm -rf {USUAL} && mkdir -p {USUAL} && tar -C {USUAL} -xf -", stdin=packed.read_bytes())
    before = lent.run(STANDING)
    yield lent
    assert lent.run(STANDING) == before


def flushes(campaign: sqlite3.Connection) -> dict[str, float]:
    """Environment → flushes that reached the board's disk in the point that asks for one after every write."""
    query = """SELECT environment, value FROM measurements JOIN trials USING (trial)
        WHERE metric = 'disk_flushes' AND point = 'flushed'"""
    return dict(campaign.execute(query))


def fixture(hypervisor: str, environments: str) -> Callable[[pytest.FixtureRequest], Iterator[Lent]]:
    """The fixture of a board that is prepared for environments with one of Kata's hypervisors."""

    @pytest.fixture
    def board(request: pytest.FixtureRequest) -> Iterator[Lent]:
        with prepared(request, hypervisor, environments) as lent:
            yield lent

    return board


on_qemu = fixture(QEMU, ON_QEMU)
on_firecracker = fixture(FIRECRACKER, ON_FIRECRACKER)
on_cloud_hypervisor = fixture(CLOUD_HYPERVISOR, ON_CLOUD_HYPERVISOR)


def test_on_qemu_the_block_path_and_the_shared_one_are_what_they_say(on_qemu: Lent, tmp_path: Path) -> None:
    with closing(carried_out(on_qemu, tmp_path)) as campaign:
        roots = values(campaign, "boot", "kata.root")
        direct = values(campaign, "boot", "kata.vmm_opens_disk_direct")
        inside = values(campaign, "boot", "guest.vdb.write_cache")
        cpus = values(campaign, "boot", "limits.cpus_inside")
        reached = flushes(campaign)
        served = values(campaign, "boot", "kata.virtiofsd")
    assert set(served) == {"kata-shared"}
    assert all("--cache=" in str(words) and "--shared-dir" not in str(words) for words in served["kata-shared"])
    assert roots == {"kata": {"block (sda)"}, "kata-unsafe": {"block (sda)"}, "kata-shared": {"virtio-fs"}}
    assert direct == {"kata": {1}, "kata-unsafe": {0}}
    assert inside == {"kata": {"write back"}, "kata-unsafe": {"write back"}}  # QEMU drops flushes without a word
    assert set(cpus) == {"native", *roots}
    assert all(seen == {1} for seen in cpus.values())
    assert reached["kata-unsafe"] < reached["kata"]


def test_on_firecracker_the_guest_sees_whether_its_flushes_count(on_firecracker: Lent, tmp_path: Path) -> None:
    with closing(carried_out(on_firecracker, tmp_path)) as campaign:
        inside = values(campaign, "boot", "guest.vdb.write_cache")
        reached = flushes(campaign)
    assert inside == {"kata-fc": {"write back"}, "kata-fc-unsafe": {"write through"}}
    assert reached["kata-fc-unsafe"] < reached["kata-fc"]


def test_on_cloud_hypervisor_the_disk_is_opened_past_the_hosts_cache(on_cloud_hypervisor: Lent, tmp_path: Path) -> None:
    with closing(carried_out(on_cloud_hypervisor, tmp_path)) as campaign:
        roots = values(campaign, "boot", "kata.root")
        direct = values(campaign, "boot", "kata.vmm_opens_disk_direct")
        inside = values(campaign, "boot", "guest.vdb.write_cache")
        served = values(campaign, "boot", "kata.virtiofsd")
    assert roots["kata-clh-shared"] == {"virtio-fs"}
    assert all(str(root).startswith("block") for root in roots["kata-clh"])
    assert (direct, inside) == ({"kata-clh": {1}}, {"kata-clh": {"write back"}})
    assert all("--cache=" in str(words) for words in served["kata-clh-shared"])


KILLED = """
cd /root && rm -f c.sqlite
python3 primetime.pyz run study.toml -o c.sqlite > run.log 2>&1 &
run=$!
until grep -q primetime-ready /run/primetime/b*/console 2> /dev/null && pidof qemu-system-x86_64 > /dev/null; do
    kill -0 $run || exit 1
    sleep 0.2
done
sleep 2
kill -9 $run
wait $run
python3 primetime.pyz clean
"""


def test_after_a_kill_9_clean_takes_everything_of_katas_away(on_qemu: Lent) -> None:
    on_qemu.run(KILLED, limit_s=RUN_LIMIT_S)
