"""A container in a Kata guest. There is no agent of ours: everything is asked by programs in the container.

A second proc and sysfs, writable, lie below /run in it: there the guest's own kernel is told to drop its caches.
"""

from __future__ import annotations

import os
from pathlib import Path

from primetime.environments.base import BYPASSES
from primetime.environments.containerd import DEVMAPPER
from primetime.environments.containerd_container import CtrContainer
from primetime.environments.guest import (
    ANSWER_LIMIT_S,
    BOOT_ID,
    ONLINE,
    QUEUE,
    RELEASE,
    SYNC_LIMIT_S,
    TOUCH_BYTES_PER_S,
    VMM_SLACK,
    cap_vmm,
    count_cpus,
    plausible_memory,
)
from primetime.environments.kata_config import SAFE, KataChoice
from primetime.errors import BootFailed, CommandFailed
from primetime.host.cgroup import Cgroup
from primetime.host.memory import parse_meminfo, proportional_bytes, unwritten_bytes
from primetime.model import Command, Fact, Outcome

PROC, SYS = "/run/primetime/proc", "/run/primetime/sys"
MOUNTS = (
    "--mount", f"type=proc,src=proc,dst={PROC},options=rw:nosuid:nodev:noexec",
    "--mount", f"type=sysfs,src=sysfs,dst={SYS},options=rw:nosuid:nodev:noexec",
)  # fmt: skip
AGENT = "/tmp/primetime_agent.py"
IMPORTED = "import sys; sys.path.insert(0, '/tmp'); from primetime_agent import Agent"
TOUCH = f"{IMPORTED}; print(Agent.touch(None, {{}})['touched_bytes'])"
WRITE_BACK = "write back"


class KataContainer(CtrContainer):
    """A running one. `choice` is set by whoever starts it."""

    choice: KataChoice
    device = ""  # the guest's disk under the root, "" over virtio-fs

    def sync(self) -> None:
        self.do(("sync",), SYNC_LIMIT_S)

    def drop_caches(self) -> None:
        self.do(("tee", f"{PROC}/sys/vm/drop_caches"), ANSWER_LIMIT_S, b"3")

    def dirty_bytes(self) -> int:
        return unwritten_bytes(parse_meminfo(self.get("/proc/meminfo")))

    def cached_bytes(self) -> int:
        return parse_meminfo(self.get("/proc/meminfo"))["Cached"]

    def do(self, argv: tuple[str, ...], limit_s: float, stdin: bytes = b"") -> Outcome:
        """Run a program inside that must succeed. Raises CommandFailed."""
        outcome = self.run(Command(argv, limit_s, stdin))
        if outcome.returncode != 0:
            raise CommandFailed(argv, outcome.returncode, outcome.stderr)
        return outcome

    def equalise(self) -> tuple[Fact, ...]:
        facts = []
        self.device = root_device(self.get("/proc/mounts").decode())
        for path, value in self.context.guest_settings.items():
            inside = path.replace("/proc/", f"{PROC}/", 1).replace("/sys/block/vdb", f"{SYS}/block/{self.device}", 1)
            if path.startswith("/sys/") and not self.device:
                continue  # the disk is the host's own, which has the setting already
            refused = self.run(Command(("tee", inside), ANSWER_LIMIT_S, value.encode())).returncode != 0
            name = path.removeprefix("/proc/sys/").removeprefix("/sys/block/").replace("/queue/", ".").replace("/", ".")
            facts.append(Fact(f"guest.{name}", f"({value} refused)" if refused else value))
        return tuple(facts)

    def prove_limits(self) -> tuple[Fact, ...]:
        if self.get(BOOT_ID).decode().strip() == Path(BOOT_ID).read_text(encoding="ascii").strip():
            raise BootFailed("guest kernel", "the boot_id inside is the host's: this is no guest", self.console())
        limits = self.context.limits
        memory = parse_meminfo(self.get("/proc/meminfo"))["MemTotal"]
        if not plausible_memory(memory, limits.memory_bytes):
            raise BootFailed("memory limit", f"{memory} bytes are seen inside, not about {limits.memory_bytes}")
        cpus = count_cpus(self.get(ONLINE).decode().strip())
        if cpus != limits.cpus:
            raise BootFailed("CPU count", f"{cpus} CPUs are seen inside, not {limits.cpus}", self.console())
        return (
            Fact("limits.memory_bytes", limits.memory_bytes),
            Fact("limits.memory_inside", memory),
            Fact("limits.cpus_inside", cpus),
            Fact("limits.cpu_set", ",".join(str(cpu) for cpu in limits.cpu_set)),
            Fact("guest.kernel", self.get(RELEASE).decode().strip()),
            *self.prove_block_path(),
        )

    def prove_block_path(self) -> tuple[Fact, ...]:
        """What really lies under the root, its write cache as the guest sees it, whether the VMM bypasses the host's.

        BootFailed when it is another path or another durability than the settings say.
        """
        root = self.get("/proc/mounts").decode()
        self.device = root_device(root)
        path = f"block ({self.device})" if self.device else "virtio-fs"
        if bool(self.device) != (self.choice.snapshotter == DEVMAPPER):
            raise BootFailed(
                "block path", f"{self.choice.snapshotter} was asked for, the root's files travel over {path}"
            )
        if not self.device:
            return (Fact("kata.root", path), Fact("guest.clock", "not measured: no agent of ours is inside"))
        queue = f"/sys/block/{self.device}/queue"
        seen = {name: self.get(f"{queue}/{name}").decode().strip() for name in QUEUE}
        direct = opened_directly(self.context.cgroup)
        if self.choice.cache == SAFE and seen["write_cache"] != WRITE_BACK:
            raise BootFailed("flush", f"the guest sees {seen['write_cache']!r}: its flushes would not be passed on")
        return (
            Fact("kata.root", path),
            Fact("kata.vmm_opens_disk_direct", direct),
            Fact(BYPASSES, direct),
            Fact("guest.clock", "not measured: no agent of ours is inside"),
            *(Fact(f"guest.{self.device}.{name}", value) for name, value in seen.items()),
        )

    def touch_memory(self) -> tuple[Fact, ...]:
        self.put(AGENT, self.context.images.agent.read_bytes())
        limit_s = ANSWER_LIMIT_S + self.context.limits.memory_bytes / TOUCH_BYTES_PER_S
        touched = self.do(("python3", "-I", "-S", "-B", "-c", TOUCH), limit_s).stdout
        guest = self.context.limits.memory_bytes
        overhead = max(0, proportional_bytes(self.context.cgroup.pids()) - guest)
        return (
            Fact("guest.touched_bytes", int(touched)),
            *cap_vmm(self.context, guest + overhead, overhead, VMM_SLACK),
        )


def root_device(mounts: str) -> str:
    """The disk under the root file system in /proc/mounts ("sda", "vdb"); "" when it is no block device."""
    for line in mounts.splitlines():
        source, target = line.split()[:2]
        if target == "/":
            return source.removeprefix("/dev/") if source.startswith("/dev/") else ""
    return ""


def opened_directly(cgroup: Cgroup) -> bool:
    """Whether a process of the boot has a device-mapper disk open past the host's page cache."""
    for pid in cgroup.pids():
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                target = str(descriptor.readlink())
                info = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text(encoding="ascii")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it was closed while we looked
            if target.startswith(("/dev/dm-", "/dev/mapper/")) and open_flags(info) & os.O_DIRECT:
                return True
    return False


def open_flags(info: str) -> int:
    """The flags in a /proc/<pid>/fdinfo file."""
    return next((int(line.split()[1], 8) for line in info.splitlines() if line.startswith("flags:")), 0)
