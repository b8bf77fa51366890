"""Where bench/files.py lets two programs run: this machine, cgroups with little memory, a QEMU guest."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from posixpath import dirname

from primetime.environments import environment
from primetime.environments.base import Attachment, BootContext, Connection, Instance
from primetime.errors import CommandFailed, UserError
from primetime.host.cgroup import Cgroup
from primetime.host.process import Placement, Spawning, run, spawn
from primetime.host.rawdisk import write_fully
from primetime.host.undo import open_ledger
from primetime.host.volume import make_file_system
from primetime.images.cache import Cache
from primetime.images.guest import build_guest_images
from primetime.model import Command, EnvironmentSpec, Limits
from primetime.workloads.files import PROGRAM

MIB = 2**20
OWN = f"primetime-bench-{os.getpid()}"
SYSTEMS = ("tmpfs", "ext4")
LITTLE = {"tmpfs": 768 * MIB, "ext4": 512 * MIB}  # memory of a cgroup; on tmpfs the files themselves are in it
DISK = 1024 * MIB
EAGER = "lazy_itable_init=0,lazy_journal_init=0"  # as in every volume of primetime
LIMIT_S = 900.0
GUEST_PREFIX = "/data/fb"
SHARES = {1: ("cpu.shares", "16384"), 2: ("cpu.weight", "1600")}  # by the cgroup version: 16 times the usual
GUEST_MEMORY = 768 * MIB


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
def own_group(name: str, cpu: int) -> Iterator[Cgroup]:
    """A cgroup with one CPU, and most of it."""
    group = Cgroup(f"{OWN}-{name}")
    try:
        group.create()
        filename, shares = SHARES[group.hierarchy.version]
        group.file("cpu", filename).write_text(shares)
        group.set_cpus([cpu])
        yield group
    finally:
        group.remove()


@contextmanager
def on_host(name: str) -> Iterator[Place]:
    """native, or cgroup: with little memory."""
    groups, placements = {}, {}
    with ExitStack() as stack:
        for system, limit in LITTLE.items():
            group = stack.enter_context(own_group(f"{name}-{system}", max(os.sched_getaffinity(0))))
            if name == "cgroup":
                group.set_memory(limit)
            groups[system] = group
            placements[system] = stack.enter_context(group.placement())
        yield Host(name, groups, placements)


@contextmanager
def guest() -> Iterator[Place]:
    """A fresh emulated guest with one CPU, its disk in memory. It has an interface that leads nowhere."""
    images = build_guest_images(Cache(), platform.machine(), {}, lambda _: None)
    name = f"pb{os.getpid()}"[:15]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory, ExitStack() as stack:
        disk = Path(directory, "disk.img")
        write_fully(disk, DISK // 2)
        make_file_system(disk, DISK // 2, discard=False)
        run(["ip", "tuntap", "add", name, "mode", "tap"], timeout_s=LIMIT_S)
        stack.callback(run, ["ip", "link", "delete", name], timeout_s=LIMIT_S)
        cpu = min(os.sched_getaffinity(0))
        group = stack.enter_context(own_group("vm", cpu))
        context = BootContext(
            name=name,
            limits=Limits(1, (cpu,), GUEST_MEMORY, 64 * MIB),
            volume=disk,
            connection=Connection(Attachment.TAP, "198.18.250.2", 24, "198.18.250.1", "02:00:00:00:fb:02", name, ""),
            images=images,
            cgroup=group,
            directory=Path(directory),
            ledger=open_ledger(Path(directory, "ledger")),
            emulated=True,
            first_sign_s=LIMIT_S,
            boot_limit_s=LIMIT_S,
        )
        member = environment(EnvironmentSpec("qemu", "qemu", {}))
        with member.boot(context) as instance:
            yield Guest(instance)
