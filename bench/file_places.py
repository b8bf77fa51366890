"""Where bench/files.py lets two programs run: this machine, cgroups with little memory, a QEMU guest."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from posixpath import dirname

from primetime.campaign.device import BootStart
from primetime.campaign.linux_device import Opening
from primetime.campaign.opening import open_device
from primetime.campaign.study_file import load_study
from primetime.environments import environment
from primetime.environments.base import Instance
from primetime.errors import CommandFailed, UserError
from primetime.host.cgroup import Cgroup
from primetime.host.lock import device_lock
from primetime.host.process import Placement, Spawning, run, spawn
from primetime.host.undo import open_ledger
from primetime.images.cache import Cache
from primetime.images.guest import build_guest_images
from primetime.model import Command
from primetime.workloads.files import PROGRAM

MIB = 2**20
OWN = f"primetime-bench-{os.getpid()}"
SYSTEMS = ("tmpfs", "ext4")
LITTLE = {"tmpfs": 768 * MIB, "ext4": 512 * MIB}  # memory of a cgroup; on tmpfs the files themselves are in it
DISK = 1024 * MIB
EAGER = "lazy_itable_init=0,lazy_journal_init=0"  # as in every volume of primetime
LIMIT_S = 900.0
GUEST_PREFIX = "/data/fb"
BOOT = 63100
SHARES = {1: ("cpu.shares", "16384"), 2: ("cpu.weight", "1600")}  # by the cgroup version: 16 times the usual
STUDY = """
[limits]
memory = "768MiB"
[volume]
path = "/var/tmp/primetime-bench-volume"
size = "512MiB"
[network]
peer = ""
[environments.qemu]
[[points]]
workload = "idle"
"""


class Place(ABC):
    """Where programs run. `cpu_s`: CPU seconds of a file system's programs so far; 0 where they are not known."""

    name: str

    @abstractmethod
    def directory(self, system: str) -> str:
        """Where a file system's cells work."""

    @abstractmethod
    def lines(self, system: str, argv: Sequence[str]) -> Iterator[str]:
        """Run a program to its end; yield its lines, as they come if possible. CommandFailed where it fails."""

    @abstractmethod
    def put(self, path: str, content: bytes) -> None:
        """Write a file and the directories that it lies in."""

    def cpu_s(self, system: str) -> float:  # noqa: ARG002 - not known everywhere
        return 0.0

    def programs(self, own: str, filebench: str, guest_prefix: Path | None) -> tuple[str, str]:  # noqa: ARG002
        """Where the programs are. `guest_prefix`: a Filebench that was configured for /data/fb."""
        return own, filebench

    def run(self, system: str, argv: Sequence[str]) -> str:
        """Run a program to its end; return what it printed."""
        return "".join(self.lines(system, argv))


class Host(Place):
    """This machine: a cgroup for each file system."""

    def __init__(self, name: str, groups: dict[str, Cgroup], placements: dict[str, Placement]) -> None:
        self.name = name
        self.groups = groups
        self.placements = placements

    def directory(self, system: str) -> str:
        return str(host_directory(system))

    def lines(self, system: str, argv: Sequence[str]) -> Iterator[str]:
        pipe = subprocess.PIPE
        how = Spawning(placement=self.placements[system], stdout=pipe, stderr=subprocess.STDOUT)
        with spawn(argv, how) as child:
            assert child.stdout is not None
            said = b""
            for line in child.stdout:
                said = line
                yield line.decode(errors="replace")
            child.wait(LIMIT_S)
        if child.returncode != 0:
            raise CommandFailed(argv, child.returncode, said)

    def put(self, path: str, content: bytes) -> None:
        Path(path).write_bytes(content)

    def cpu_s(self, system: str) -> float:
        group = self.groups[system]
        if group.hierarchy.version == 1:
            return int(group.file("cpuacct", "cpuacct.usage").read_text()) / 1e9
        stat = dict(line.split() for line in group.file("cpu", "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e6


def host_directory(system: str) -> Path:
    """A directory of this machine; the name is this process's own."""
    return Path(f"/dev/shm/{OWN}-{system}")


class Guest(Place):
    """A QEMU guest."""

    name = "vm"

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def directory(self, system: str) -> str:
        return f"/data/{system}"

    def lines(self, system: str, argv: Sequence[str]) -> Iterator[str]:  # noqa: ARG002 - one place for all
        outcome = self.instance.run(Command(tuple(argv), LIMIT_S))
        if outcome.returncode != 0:
            raise CommandFailed(argv, outcome.returncode, outcome.stderr or outcome.stdout)
        yield from outcome.stdout.decode().splitlines(keepends=True)

    def put(self, path: str, content: bytes) -> None:
        self.run("", ["mkdir", "-p", dirname(path)])
        self.instance.put(path, content)

    def programs(self, own: str, filebench: str, guest_prefix: Path | None) -> tuple[str, str]:  # noqa: ARG002
        if guest_prefix is None:
            raise UserError("the place vm needs a Filebench built for it", "--guest-filebench DIRECTORY")
        for name in ("bin/filebench", "lib/filebench/libcvar-gamma.so"):
            self.put(f"{GUEST_PREFIX}/{name}", (guest_prefix / name).read_bytes())
            self.run("", ["chmod", "755", f"{GUEST_PREFIX}/{name}"])
        self.run("", ["mkdir", "/data/tmpfs", "/data/ext4"])
        self.run("", ["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", "/data/tmpfs"])
        return PROGRAM, f"{GUEST_PREFIX}/bin/filebench"


@contextmanager
def prepared_systems() -> Iterator[None]:
    """tmpfs, and ext4 whose disk lies in memory too: out of reach of a shared disk's other users."""
    memory, mounted = (host_directory(system) for system in SYSTEMS)
    disk = mounted.with_suffix(".img")
    with ExitStack() as stack:
        for path in (memory, mounted):
            path.mkdir()
            stack.callback(path.rmdir)
        stack.callback(disk.unlink, missing_ok=True)
        run(["dd", "if=/dev/zero", f"of={disk}", "bs=1M", f"count={DISK // MIB}"], timeout_s=LIMIT_S)
        run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", EAGER, str(disk)], timeout_s=LIMIT_S)
        run(["mount", "-o", "loop", str(disk), str(mounted)], timeout_s=LIMIT_S)
        stack.callback(run, ["umount", str(mounted)], timeout_s=LIMIT_S)
        run(["mount", "-t", "tmpfs", "tmpfs", str(memory)], timeout_s=LIMIT_S)
        stack.callback(run, ["umount", str(memory)], timeout_s=LIMIT_S)
        yield


@contextmanager
def on_host(name: str) -> Iterator[Place]:
    """native, or cgroup: with little memory. Either has one CPU, as the guest has, and most of it."""
    groups, placements = {}, {}
    with ExitStack() as stack:
        for system, limit in LITTLE.items():
            group = Cgroup(f"{OWN}-{name}-{system}")
            stack.callback(group.remove)
            group.create()
            filename, shares = SHARES[group.hierarchy.version]
            group.file("cpu", filename).write_text(shares)
            group.set_cpus([max(os.sched_getaffinity(0))])
            if name == "cgroup":
                group.set_memory(limit)
            groups[system] = group
            placements[system] = stack.enter_context(group.placement())
        yield Host(name, groups, placements)


@contextmanager
def held_device() -> Iterator[None]:
    """Hold the device's lock, waiting for others; UserError when they take too long."""
    deadline = time.monotonic() + LIMIT_S
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(device_lock("bench"))
                break
            except UserError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(2.0)
        yield


@contextmanager
def guest() -> Iterator[Place]:
    """A fresh emulated guest; the device's lock is held as long as it lives."""
    with tempfile.TemporaryDirectory() as directory, held_device():
        path = Path(directory, "bench.toml")
        path.write_text(STUDY)
        study = load_study(str(path))
        images = build_guest_images(Cache(), platform.machine(), study.images, lambda _: None)
        member = environment(study.environments[0])
        ledger = open_ledger()
        with (
            open_device(Opening(study, images, (member,), ledger)) as device,
            device.boot(member, BootStart(BOOT, emulated=True)) as instance,
        ):
            yield Guest(instance)
