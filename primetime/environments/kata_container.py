"""A container in a Kata guest. There is no agent of ours: everything is asked by programs in the container.

A second proc and sysfs, writable, lie below /run in it: there the guest's own kernel is told to drop its caches.

No program gets a standard input from outside: at its end containerd's client asks the shim to close it before it
closes its own end, and Kata's shim waits for that end with its one lock held (seen with Kata 4.1.0, containerd 1.7:
every later call hangs; pkg/containerd-shim-v2/service.go, CloseIO). So what a program reads comes as arguments. An end
that is there from the start is harmless: the client sees it before it has anything to close.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from primetime.environments.base import BYPASSES, FILE_LIMIT_S
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
)
from primetime.environments.kata_config import CLOUD_HYPERVISOR, FIRECRACKER, QEMU, SAFE, UNSAFE, KataChoice
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
BYPASSING = (QEMU, CLOUD_HYPERVISOR)  # the hypervisors that "safe" tells to go past the host's page cache
VOLUME_DISK = "vdb"  # how facts call the volume's disk in every guest, whatever it is called there
PAGE_SIZE = ("getconf", "PAGESIZE")
ARGUMENT = 96 * 1024  # a kernel takes no argument beyond 128 KiB
CHUNK = 512 * 1024  # bytes that travel in one call: arguments have 2 MiB in all
FEED = 'n=$1; shift; while [ $n -gt 0 ]; do data=$data$1; n=$((n-1)); shift; done; printf %s "$data" | base64 -d | "$@"'
FIRMWARE = 16 << 20  # what firmware may keep of a machine's memory
VIRTIOFSD = "virtiofsd"
OF_ONE_BOOT = ("--shared-dir", "--fd", "--socket")  # virtiofsd's options that say nothing of how it works


class KataContainer(CtrContainer):
    """A running one. `choice` is set by whoever starts it."""

    choice: KataChoice
    device = ""  # the guest's disk under the root, "" over virtio-fs

    def run(self, command: Command) -> Outcome:
        if not command.stdin:
            return super().run(command)
        return super().run(replace(command, argv=fed(command.argv, command.stdin), stdin=b""))

    def put(self, path: str, content: bytes) -> None:
        for start in range(0, len(content) or 1, CHUNK):
            self.do(("tee", *(("-a",) if start else ()), path), FILE_LIMIT_S, content[start : start + CHUNK])

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
            if path.startswith("/sys/") and not self.device:
                continue  # the disk is the host's own, which has the setting already
            outcome = self.run(Command(("tee", writable(path, self.device)), ANSWER_LIMIT_S, value.encode()))
            if path.startswith("/proc/sys/"):  # what the disk took is read when the block path is proved
                name = path.removeprefix("/proc/sys/").replace("/", ".")
                facts.append(Fact(f"guest.{name}", value if outcome.returncode == 0 else f"({value} refused)"))
        return tuple(facts)

    def prove_limits(self) -> tuple[Fact, ...]:
        if self.get(BOOT_ID).decode().strip() == Path(BOOT_ID).read_text(encoding="ascii").strip():
            raise BootFailed("guest kernel", "the boot_id inside is the host's: this is no guest", self.console())
        limits = self.context.limits
        memory = parse_meminfo(self.get("/proc/meminfo"))["MemTotal"]
        machine = present_pages(self.get("/proc/zoneinfo").decode()) * int(self.do(PAGE_SIZE, ANSWER_LIMIT_S).stdout)
        if not limits.memory_bytes - FIRMWARE <= machine <= limits.memory_bytes:
            raise BootFailed("memory limit", f"the machine has {machine} bytes, not about {limits.memory_bytes}")
        cpus = count_cpus(self.get(ONLINE).decode().strip())
        if cpus != limits.cpus:
            raise BootFailed("CPU count", f"{cpus} CPUs are seen inside, not {limits.cpus}", self.console())
        return (
            Fact("limits.memory_bytes", limits.memory_bytes),
            Fact("limits.memory_inside", memory),
            Fact("kata.machine_bytes", machine),
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
            served = served_by(self.context.cgroup) or "not measured: no virtiofsd runs in the boot's cgroup"
            clock = Fact("guest.clock", "not measured: no agent of ours is inside")
            return (Fact("kata.root", path), Fact("kata.virtiofsd", served), clock)
        queue = f"/sys/block/{self.device}/queue"
        seen = {name: self.get(f"{queue}/{name}").decode().strip() for name in QUEUE}
        direct = opened_directly(self.context.cgroup)
        if broken := broken_promise(self.choice, seen["write_cache"], direct):
            raise BootFailed("cache of the block device", broken)
        return (
            Fact("kata.root", path),
            Fact("kata.vmm_opens_disk_direct", direct),
            Fact(BYPASSES, direct),
            Fact("guest.clock", "not measured: no agent of ours is inside"),
            *(Fact(f"guest.{VOLUME_DISK}.{name}", value) for name, value in seen.items()),
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


def writable(path: str, device: str) -> str:
    """Where a setting of the guest's kernel can be written from inside the container. `device`: the volume's disk."""
    below = path.replace(f"/sys/block/{VOLUME_DISK}/", f"{SYS}/block/{device}/", 1)
    return below.replace("/proc/", f"{PROC}/", 1) if path.startswith("/proc/") else below


def broken_promise(choice: KataChoice, write_cache: str, direct: bool) -> str:
    """How what is seen of the root's disk contradicts `cache`; "" when it does not. `direct`: the VMM opened it so."""
    if choice.cache == SAFE and write_cache != WRITE_BACK:
        return f"the guest sees {write_cache!r}: its flushes would not be passed on"
    if choice.cache == SAFE and choice.hypervisor in BYPASSING and not direct:
        return "the VMM has the disk open through the host's page cache"
    if choice.cache == UNSAFE and choice.hypervisor == FIRECRACKER and write_cache == WRITE_BACK:
        return f"the guest sees {write_cache!r}: its flushes would be passed on"
    return ""


def fed(argv: tuple[str, ...], stdin: bytes) -> tuple[str, ...]:
    """A program and what it reads, as one command that reads nothing. ValueError for more than one call carries."""
    if len(stdin) > CHUNK:
        raise ValueError(f"{len(stdin)} bytes for {argv[0]} are more than {CHUNK}")
    words = base64.b64encode(stdin).decode()
    pieces = [words[start : start + ARGUMENT] for start in range(0, len(words), ARGUMENT)]
    return ("sh", "-c", FEED, "sh", str(len(pieces)), *pieces, *argv)


def present_pages(zoneinfo: str) -> int:
    """The machine's memory in /proc/zoneinfo, in pages.

    MemTotal is no proof here: a Linux that may be given memory later keeps 64 MiB of bounce buffers (swiotlb) back,
    and Kata's machines always may.
    """
    rows = (line.split() for line in zoneinfo.splitlines())
    return sum(int(row[1]) for row in rows if len(row) == 2 and row[0] == "present")


def root_device(mounts: str) -> str:
    """The disk under the root file system in /proc/mounts ("sda", "vdb"); "" when it is no block device."""
    for line in mounts.splitlines():
        source, target = line.split()[:2]
        if target == "/":
            return source.removeprefix("/dev/") if source.startswith("/dev/") else ""
    return ""


def opened_directly(cgroup: Cgroup) -> bool:
    """Whether a process of the boot has a device-mapper disk open past the host's page cache."""
    major = device_major(Path("/proc/devices").read_text(encoding="ascii"), "device-mapper")
    for pid in cgroup.pids():
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                status = descriptor.stat()  # of what is open: in a jail its name says nothing
                info = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text(encoding="ascii")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it was closed while we looked
            if stat.S_ISBLK(status.st_mode) and os.major(status.st_rdev) == major and open_flags(info) & os.O_DIRECT:
                return True
    return False


def served_by(cgroup: Cgroup) -> str:
    """How the boot's virtiofsd works (`--cache=auto …`): the options it was really started with; "" without one."""
    for pid in cgroup.pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if Path(words[0]).name == VIRTIOFSD:
            return lasting_options(words[1:])
    return ""


def lasting_options(words: Sequence[str]) -> str:
    """virtiofsd's options without what is of one boot alone, so that boots can be compared."""
    kept: list[str] = []
    value_follows = False
    for word in words:
        of_one_boot = word.startswith(OF_ONE_BOOT)
        if word and not of_one_boot and not value_follows:
            kept.append(word)
        value_follows = of_one_boot and "=" not in word
    return " ".join(kept)


def device_major(devices: str, driver: str) -> int:
    """The number of a block driver in /proc/devices; -1 when it is not there."""
    rows = devices.partition("Block devices:")[2].split()
    return next((int(number) for number, name in zip(rows[::2], rows[1::2], strict=True) if name == driver), -1)


def open_flags(info: str) -> int:
    """The flags in a /proc/<pid>/fdinfo file."""
    return next((int(line.split()[1], 8) for line in info.splitlines() if line.startswith("flags:")), 0)
