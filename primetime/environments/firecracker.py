"""A microVM by Firecracker, with KVM only.

    [environments.firecracker]
    cache_type = "Writeback"  # or "Unsafe", Firecracker's own default: the guest's flushes are not even offered
    io_engine = "Sync"        # or "Async": io_uring, a developer preview
    pci = false               # virtio on PCI instead of memory-mapped I/O; not on GICv2
    huge_pages = "None"       # or "2M": reserved for the boot, given back afterwards
    jailer = false            # through Firecracker's jailer: a chroot and an unprivileged user
    entropy = true
    mtu = 0                   # of the guest's card and its tap; 0: as they are
    disk_bandwidth = 0        # bytes per second of the data disk; 0: no limit
    disk_ops = 0              # its operations per second
    net_bandwidth = 0         # bytes per second, each way
    metrics = true            # its own counters, flushed at the edges of each trial
    log_level = "Warning"
    binary = ""               # a firecracker of your own, by its whole path
    jailer_binary = ""

The main comparison is about what survives a flush, so the default is "Writeback" and "Unsafe" is a named variant.
The data disk always goes through the host's page cache. Every setting that is not the default stands in the name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from primetime.environments.base import BootContext, Setting, failing_as
from primetime.environments.firecracker_config import (
    LOG,
    VSOCK,
    Places,
    firecracker_words,
    unjailed,
    write_config,
)
from primetime.environments.firecracker_guest import FirecrackerInstance, Running
from primetime.environments.jail import jail, jail_troubles, jailer_argv
from primetime.environments.known_bad import Trouble, firecracker_host_troubles, firecracker_troubles
from primetime.environments.microvm_host import bootable_kernel, reserved_huge_pages, set_mtu
from primetime.environments.vmm import BINARY, Vmm
from primetime.environments.vsock import AGENT_PORT, open_guest_agent
from primetime.environments.watching import BootWatch
from primetime.host.hypervisor import HypervisorHost, Version
from primetime.host.process import Spawning, spawn
from primetime.images.tools import find_tool

STOP_S = 5.0
NAMED = {"io_engine": "Async", "huge_pages": "2M"}  # values that stand in the name themselves
SWITCHES = ("pci", "jailer")
LIMITERS = ("disk_bandwidth", "disk_ops", "net_bandwidth", "mtu")


class Firecracker(Vmm):
    """See the module."""

    kind = "firecracker"
    summary = "a microVM by Firecracker"
    program_name = "firecracker"
    most_cpus = 32
    vmm_reserve_bytes = 48 * 1024 * 1024
    settings = (
        Setting(
            "cache_type",
            "Writeback",
            ("Writeback", "Unsafe"),
            "whether the guest's flushes reach the host",
            ("Unsafe",),
        ),
        Setting("io_engine", "Sync", ("Sync", "Async"), "how Firecracker reads and writes the data disk"),
        Setting("pci", False, (), "virtio devices on PCI"),
        Setting("huge_pages", "None", ("None", "2M"), "what backs the guest's memory"),
        Setting("jailer", False, (), "start it through the jailer"),
        Setting("entropy", True, (), "a virtio-rng device"),
        Setting("mtu", 0, (), "of the guest's card; 0: the tap's"),
        Setting("disk_bandwidth", 0, (), "bytes per second of the data disk; 0: no limit"),
        Setting("disk_ops", 0, (), "operations per second of the data disk; 0: no limit"),
        Setting("net_bandwidth", 0, (), "bytes per second of the card, each way; 0: no limit"),
        Setting("metrics", True, (), "Firecracker's own counters"),
        Setting("log_level", "Warning", ("Off", "Error", "Warning", "Info", "Debug"), "of Firecracker's log"),
        BINARY,
        Setting("jailer_binary", "", (), "the whole path of a jailer of your own"),
    )

    def notes(self) -> tuple[str, ...]:
        parts = [value for name, value in NAMED.items() if self.values[name] == value]
        parts += [name for name in SWITCHES if self.values[name]]
        return (*parts, *(f"{name} {self.values[name]}" for name in LIMITERS if self.values[name]))

    def bypasses_host_cache(self) -> bool:
        return False

    def host_troubles(self, host: HypervisorHost) -> Iterator[Trouble]:
        yield from firecracker_host_troubles(host, self.values)

    def version_troubles(self, host: HypervisorHost, version: Version) -> Iterator[Trouble]:
        yield from firecracker_troubles(host, version, self.values)
        if self.values["jailer"]:
            yield from jail_troubles(self.jailer(), self.found().path)

    def jailer(self) -> Path | None:
        """The jailer's program, None when there is none. UserError when it is not for this machine."""
        found = find_tool("jailer", str(self.values["jailer_binary"]))
        return found.path if found else None

    def start(self, context: BootContext, stack: ExitStack) -> FirecrackerInstance:
        console, words = context.directory / "console", context.directory / "firecracker.err"
        if self.values["huge_pages"] == "2M":
            stack.enter_context(reserved_huge_pages(context))
        set_mtu(context, int(self.values["mtu"]))
        argv, places = self.argv(context, stack)
        write_config(context, places, self.values)
        outputs = [stack.enter_context(path.open("wb")) for path in (console, words)]
        placement = stack.enter_context(context.cgroup.placement(context.limits.cpu_set))
        how = Spawning(placement=placement, stdout=outputs[0], stderr=outputs[1], stop_s=STOP_S, cwd=context.directory)
        started = time.monotonic()
        deadline = started + context.boot_limit_s
        process = stack.enter_context(spawn(argv, how))
        watch = BootWatch("Firecracker", console, (places.on_host(LOG), words), process.poll)
        ready = watch.wait_ready(started + context.first_sign_s, deadline)
        with failing_as("agent"):
            agent = stack.enter_context(open_guest_agent(places.on_host(VSOCK), AGENT_PORT, watch, deadline))
        instance = FirecrackerInstance(context, agent, Running(places, watch, self.values, self.found()))
        instance.started_at, instance.ready_at = started, ready
        return instance

    def argv(self, context: BootContext, stack: ExitStack) -> tuple[list[str], Places]:
        """Return the command line and where things lie; the jail is made where the study wants one."""
        program = self.found().path.resolve()  # the jailer names its chroot after what a link leads to
        kernel = bootable_kernel(context.images)
        if not self.values["jailer"]:
            places = unjailed(context, kernel)
            return [str(program), "--id", context.name, *firecracker_words(places, self.values)], places
        places = stack.enter_context(jail(context, program, kernel))
        return [
            *jailer_argv(context, self.jailer() or Path("jailer"), program),
            *firecracker_words(places, self.values),
        ], places
