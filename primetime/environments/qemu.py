"""A conventional virtual machine by QEMU: q35 on x86-64, virt on aarch64.

    [environments.qemu]
    cache = "none"        # or writeback, writethrough, directsync, unsafe: the host's cache of the data disk
    aio = "threads"       # or native (with cache none or directsync), io_uring
    vhost = "auto"        # or on, off: the network's data path in the host's kernel
    vmm_outside = false   # true: only the vCPUs keep to the CPU limit, not QEMU's other threads: a named variant

With KVM where it works; otherwise emulated by TCG, which says nothing about speed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from primetime.environments.agent import AgentClient, open_agent
from primetime.environments.base import Attachment, BootContext, Environment, Instance, Setting, Storage, failing_as
from primetime.environments.guest import GuestInstance
from primetime.environments.qemu_command import (
    TRANSLATION_MIB,
    VHOST_NET,
    Machine,
    agent_socket,
    console_file,
    monitor_socket,
    qemu_argv,
    this_machine,
    uses_vhost,
)
from primetime.environments.qmp import Qmp, connect, open_monitor
from primetime.environments.watching import BootWatch
from primetime.errors import BootFailed, CommandTimeout, EnvironmentDied, UserError
from primetime.host.process import Spawning, find_program, run, spawn
from primetime.model import EnvironmentSpec, Evidence, Fact, Footprint, Usability, Usable

KVM = Path("/dev/kvm")
QUIT_LIMIT_S = 10.0
CONNECT_LIMIT_S = 10.0
CAVEAT = "emulated by TCG: its figures say nothing about speed"
BYPASSING = ("none", "directsync")
STOPPED = "-S"  # the vCPUs wait until the monitor says `cont`
BLOCK_COUNTERS = (
    "rd_bytes", "wr_bytes", "rd_operations", "wr_operations", "flush_operations", "rd_total_time_ns",
    "wr_total_time_ns", "flush_total_time_ns", "rd_merged", "wr_merged", "failed_flush_operations",
)  # fmt: skip


class Qemu(Environment):
    """See the module."""

    kind = "qemu"
    summary = "a virtual machine by QEMU"
    storage = Storage.DISK
    attachment = Attachment.TAP
    guest_kernel = True
    emulable = True
    vmm_reserve_bytes = 96 * 1024 * 1024
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("cache", "none", ("none", "writeback", "writethrough", "directsync", "unsafe"), "the host's cache",
                ("unsafe",)),
        Setting("aio", "threads", ("threads", "native", "io_uring"), "how QEMU reads and writes the data disk"),
        Setting("vhost", "auto", ("auto", "on", "off"), "whether the host's kernel moves packets"),
        Setting("vmm_outside", False, (), "whether only vCPUs keep to the CPU limit", (True,)),
    )  # fmt: skip

    def __init__(self, spec: EnvironmentSpec) -> None:
        super().__init__(spec)
        if self.values["aio"] == "native" and self.values["cache"] not in BYPASSING:
            raise UserError(
                f'environment "{spec.label}" ({self.kind}): aio = "native" needs cache = "none" or "directsync"',
                'QEMU refuses native AIO through the page cache: set cache = "none", or aio = "threads"',
            )
        self.emulated = False  # how it was booted last

    def notes(self) -> tuple[str, ...]:
        return ("TCG",) if self.emulated else ()

    def machine(self) -> Machine:
        """What QEMU is to build. UserError on an architecture that has none."""
        return this_machine()

    def bypasses_host_cache(self) -> bool:
        return self.values["cache"] in BYPASSING

    def missing(self) -> Usability | None:
        machine = self.machine()
        if find_program(machine.program) is None:
            remedy = f"apt-get install {machine.package}"
            return Usability(self.kind, Usable.NO, f"{machine.program} is not installed", remedy)
        return None

    def usable(self) -> Usability:
        said = run([self.machine().program, "--version"], timeout_s=20).stdout.decode().split()
        versions = {"qemu": said[3]}
        if not self.emulated:
            return Usability(self.kind, Usable.YES, versions=versions)
        return Usability(self.kind, Usable.CAVEAT, CAVEAT, versions=versions, emulated=True, tcg=True)

    @contextmanager
    def boot(self, context: BootContext) -> Iterator[Instance]:
        self.emulated = context.emulated
        with ExitStack() as stack:
            self.check(context)
            instance = self.start(context, stack)
            yield instance
            instance.stop()

    def check(self, context: BootContext) -> None:
        """BootFailed for what QEMU would only say in many words."""
        if not context.emulated:
            with failing_as("KVM"):
                os.close(os.open(KVM, os.O_RDWR | os.O_CLOEXEC))
        if self.values["vhost"] == "on" and not VHOST_NET.exists():
            raise BootFailed("vhost", f"{VHOST_NET} is not there; modprobe vhost_net")

    def start(self, context: BootContext, stack: ExitStack) -> QemuInstance:
        """Start QEMU and wait until the guest is ready and its agent answers. Raises BootFailed."""
        log = context.directory / "qemu.log"
        words = stack.enter_context(log.open("wb"))
        console_file(context).unlink(missing_ok=True)  # an older boot's stamp would be taken for this one's
        outside = bool(self.values["vmm_outside"])
        cpus = context.host_cpus if outside else context.limits.cpu_set
        context.cgroup.set_cpus(cpus)
        placement = stack.enter_context(context.cgroup.placement(cpus))
        how = Spawning(placement=placement, stdout=words, stderr=words, stop_s=QUIT_LIMIT_S, cwd=context.directory)
        argv = [*qemu_argv(context, self.machine(), self.values), *([STOPPED] if outside else [])]
        started = time.monotonic()
        deadline = started + context.boot_limit_s
        process = stack.enter_context(spawn(argv, how))
        vcpus = start_vcpus(context) if outside else ()
        watch = BootWatch("QEMU", console_file(context), (log,), process.poll)
        ready = watch.wait_ready(started + context.first_sign_s, deadline)
        with failing_as("agent"):
            agent = stack.enter_context(open_agent(connect(agent_socket(context), CONNECT_LIMIT_S)))
            watch.wait(agent.hello.done, deadline)
            try:
                monitor = stack.enter_context(open_monitor(monitor_socket(context)))
            except (CommandTimeout, EnvironmentDied) as error:  # a QEMU that has ended leaves its socket behind
                raise BootFailed("monitor", watch.exited() or error.message, watch.tail()) from error
        vmm = Vmm(process.pid, monitor, watch, uses_vhost(self.values), vcpus)
        instance = QemuInstance(context, agent, vmm)
        instance.started_at, instance.ready_at = started, ready
        return instance


@dataclass(frozen=True, slots=True)
class Vmm:
    """A running QEMU. `limited`: its vCPU threads where only they keep to the CPU limit."""

    pid: int
    monitor: Qmp
    watch: BootWatch
    vhost: bool
    limited: tuple[int, ...] = ()


class QemuInstance(GuestInstance):
    """A guest under QEMU."""

    def __init__(self, context: BootContext, agent: AgentClient, vmm: Vmm) -> None:
        super().__init__(context, agent, vmm.watch.console)
        self.vmm = vmm
        self.vmm_growth_bytes = TRANSLATION_MIB << 20 if context.emulated else 0

    def exited(self) -> str:
        return self.vmm.watch.exited_soon()

    def prove_limits(self) -> tuple[Fact, ...]:
        acceleration = self.vmm.monitor.execute("query-kvm")
        kvm = bool(acceleration["enabled"])
        if kvm == self.context.emulated:
            raise BootFailed("acceleration", f"QEMU says KVM is {'on' if kvm else 'off'}", self.console())
        facts = (Fact("qemu.accelerator", "kvm" if kvm else "tcg"), Fact("qemu.vhost", self.vmm.vhost))
        return (*super().prove_limits(), *facts)

    def footprint(self) -> Footprint:
        interface = self.context.connection.interface
        return Footprint(
            cgroups=(self.context.cgroup.name,),
            kernel_threads=vhost_threads(self.vmm.pid),
            interfaces=(interface,) if interface else (),
            limited_threads=self.vmm.limited,
        )

    def evidence(self) -> Evidence:
        """QEMU's own counters of each disk, as `block.<disk>.<counter>`, and KVM's as `kvm.<counter>`."""
        found: dict[str, float | str] = {}
        for block in self.vmm.monitor.execute("query-blockstats"):
            name = str(block.get("qdev", "")).removeprefix("/machine/peripheral/").split("/")[0]
            found.update({f"block.{name}.{key}": block["stats"][key] for key in BLOCK_COUNTERS})
        if not self.context.emulated:
            for provider in self.vmm.monitor.execute("query-stats", target="vm"):
                found.update(
                    {f"kvm.{one['name']}": one["value"] for one in provider["stats"] if isinstance(one["value"], int)}
                )
        return found

    def stop(self) -> None:
        """End the guest in order: its data on the disk, then QEMU; what is left is killed by the process door."""
        self.sync()
        self.vmm.monitor.execute("quit")
        waits_until(lambda: self.vmm.watch.poll() is not None, QUIT_LIMIT_S)


def start_vcpus(context: BootContext) -> tuple[int, ...]:
    """Bind the vCPU threads of a QEMU that waits to the environment's CPUs, let it go; return the threads."""
    with failing_as("vmm_outside"), open_monitor(monitor_socket(context)) as monitor:
        threads = tuple(int(cpu["thread-id"]) for cpu in monitor.execute("query-cpus-fast"))
        for thread in threads:
            os.sched_setaffinity(thread, context.limits.cpu_set)
        monitor.execute("cont")
    return threads


def vhost_threads(pid: int) -> tuple[int, ...]:
    """Return the host kernel's threads that move packets for a VMM: they are called vhost-<pid>.

    Since Linux 6.4 they are threads of the VMM itself, and then in its cgroup.
    """
    name = f"vhost-{pid}"
    found = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text(encoding="utf-8").strip() == name:
                found.append(int(comm.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return tuple(sorted(found))


def waits_until(condition: Callable[[], bool], limit_s: float) -> bool:
    """Wait for `condition`, at most `limit_s`; return whether it holds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
