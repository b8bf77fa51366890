"""Where bench/files.py lets two programs run: this machine, a cgroup with little memory, a QEMU guest."""

from __future__ import annotations

import os
import platform
import resource
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
from primetime.host.process import Placement, Spawning, run
from primetime.host.undo import open_ledger
from primetime.images.cache import Cache
from primetime.images.guest import build_guest_images
from primetime.model import Command
from primetime.workloads.files import PROGRAM

MIB = 2**20
OWN = f"primetime-bench-{os.getpid()}"
SYSTEMS = {"tmpfs": f"/dev/shm/{OWN}", "ext4": f"/var/tmp/{OWN}"}
GUEST_SYSTEMS = {"tmpfs": "/data/memory", "ext4": "/data/disk"}
LITTLE = {"tmpfs": 768 * MIB, "ext4": 512 * MIB}  # memory of the cgroup; on tmpfs the files themselves are in it
LIMIT_S = 900.0
GUEST_PREFIX = "/data/fb"
BOOT = 63100
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
    """`directories`: where each file system's cells work."""

    name: str
    directories: dict[str, str]

    @abstractmethod
    def run(self, system: str, argv: Sequence[str]) -> bytes:
        """Run a program to its end; return what it printed. CommandFailed for an exit code other than 0."""

    @abstractmethod
    def put(self, path: str, content: bytes) -> None:
        """Write a file and the directories that it lies in."""

    def cpu_s(self) -> float:
        """CPU seconds of all programs run so far; 0 where they are not known."""
        return 0.0

    def programs(self, own: str, filebench: str, guest_prefix: Path | None) -> tuple[str, str]:  # noqa: ARG002
        """Where the two programs are here. `guest_prefix`: a Filebench that was built for /data/fb."""
        return own, filebench


class Host(Place):
    """This machine; `spawning`: how a program is started for a file system's cells."""

    def __init__(self, name: str, spawning: dict[str, Spawning]) -> None:
        self.name = name
        self.directories = SYSTEMS
        self.spawning = spawning

    def run(self, system: str, argv: Sequence[str]) -> bytes:
        return run(argv, timeout_s=LIMIT_S, spawning=self.spawning[system]).stdout

    def put(self, path: str, content: bytes) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)

    def cpu_s(self) -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


class Guest(Place):
    """A QEMU guest. Filebench and the one library of its that is needed lie on its volume."""

    name = "vm"
    directories = GUEST_SYSTEMS

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def run(self, system: str, argv: Sequence[str]) -> bytes:  # noqa: ARG002 - one place for all
        outcome = self.instance.run(Command(tuple(argv), LIMIT_S))
        if outcome.returncode != 0:
            raise CommandFailed(argv, outcome.returncode, outcome.stderr or outcome.stdout)
        return outcome.stdout

    def put(self, path: str, content: bytes) -> None:
        self.run("", ["mkdir", "-p", dirname(path)])
        self.instance.put(path, content)

    def programs(self, own: str, filebench: str, guest_prefix: Path | None) -> tuple[str, str]:  # noqa: ARG002
        if guest_prefix is None:
            raise UserError("the place vm needs a Filebench built for it", "--guest-filebench DIRECTORY")
        for name in ("bin/filebench", "lib/filebench/libcvar-gamma.so"):
            self.put(f"{GUEST_PREFIX}/{name}", (guest_prefix / name).read_bytes())
            self.run("", ["chmod", "755", f"{GUEST_PREFIX}/{name}"])
        for path in GUEST_SYSTEMS.values():
            self.run("", ["mkdir", "-p", path])
        self.run("", ["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", GUEST_SYSTEMS["tmpfs"]])
        return PROGRAM, f"{GUEST_PREFIX}/bin/filebench"


@contextmanager
def native() -> Iterator[Place]:
    """This machine as it is."""
    yield Host("native", {system: Spawning() for system in SYSTEMS})


@contextmanager
def cgroup() -> Iterator[Place]:
    """This machine, with little memory."""
    with ExitStack() as stack:
        spawning = {}
        for system, limit in LITTLE.items():
            group = Cgroup(f"{OWN}-{system}")
            stack.callback(group.remove)
            group.create()
            group.set_memory(limit)
            placement: Placement = stack.enter_context(group.placement())
            spawning[system] = Spawning(placement=placement)
        yield Host("cgroup", spawning)


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


OPEN = {"native": native, "cgroup": cgroup, "vm": guest}
