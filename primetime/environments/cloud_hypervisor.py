"""A microVM by cloud-hypervisor, with KVM only, and on Arm with GICv3 only.

    [environments.cloud-hypervisor]
    direct = false         # the data disk past the host's page cache
    queues = 1             # of the data disk, at most as many as vCPUs
    queue_size = 128
    io_uring = true        # where the host's kernel has it
    offload_tso = true     # of the network card, as are the next two
    offload_ufo = true
    offload_csum = true
    hugepages = false      # 2 MiB, reserved for the boot, given back afterwards
    mtu = 0                # of the guest's card and its tap; 0: as they are
    binary = ""            # a cloud-hypervisor of your own, by its whole path

The guest's flushes reach the host. Every setting that is not the default stands in the name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

from primetime.environments.agent import AgentClient
from primetime.environments.base import BYPASSES, BootContext, Setting, failing_as
from primetime.environments.cloud_hypervisor_command import API, CONSOLE, LOG, VSOCK, cloud_hypervisor_argv
from primetime.environments.guest import GuestInstance
from primetime.environments.http_socket import Control
from primetime.environments.known_bad import Trouble, cloud_hypervisor_troubles
from primetime.environments.microvm_host import bootable_kernel, reserved_huge_pages, set_mtu
from primetime.environments.vmm import BINARY, MicrovmInstance, Vmm
from primetime.environments.vsock import AGENT_PORT, open_guest_agent
from primetime.environments.watching import BootWatch
from primetime.errors import BootFailed
from primetime.host.hypervisor import HypervisorHost
from primetime.host.process import Spawning, spawn
from primetime.model import Evidence, Fact

STOP_S = 5.0
WRITE_CACHE, WRITE_BACK = "guest.vdb.write_cache", "write back"
GROUPS = {"root": "block", "data": "block", "net0": "net"}  # a device's id → what it is
NO_COUNTER = "latency"  # minimum, maximum and mean


class CloudHypervisor(Vmm):
    """See the module."""

    kind = "cloud-hypervisor"
    summary = "a microVM by cloud-hypervisor"
    program_name = "cloud-hypervisor"
    most_cpus = 255
    vmm_reserve_bytes = 64 * 1024 * 1024
    settings = (
        Setting("direct", False, (), "the data disk past the host's page cache"),
        Setting("queues", 1, (), "queues of the data disk"),
        Setting("queue_size", 128, (16, 32, 64, 128, 256, 512, 1024), "requests in a queue of the data disk"),
        Setting("io_uring", True, (), "use io_uring where the host's kernel has it"),
        Setting("offload_tso", True, (), "the guest sends TCP segments of 64 KiB"),
        Setting("offload_ufo", True, (), "the same for UDP"),
        Setting("offload_csum", True, (), "checksums are left to the host"),
        Setting("hugepages", False, (), "2 MiB pages behind the guest's memory"),
        Setting("mtu", 0, (), "of the guest's card; 0: the tap's"),
        BINARY,
    )

    def notes(self) -> tuple[str, ...]:
        return tuple(
            setting.name if value is True else f"{setting.name} off" if value is False else f"{setting.name} {value}"
            for setting in self.settings
            if setting != BINARY and (value := self.values[setting.name]) != setting.default
        )

    def bypasses_host_cache(self) -> bool:
        return bool(self.values["direct"])

    def host_troubles(self, host: HypervisorHost) -> Iterator[Trouble]:
        yield from cloud_hypervisor_troubles(host)

    def start(self, context: BootContext, stack: ExitStack) -> GuestInstance:
        if not 1 <= int(self.values["queues"]) <= context.limits.cpus:
            most = f"cloud-hypervisor takes 1 to {context.limits.cpus} queues with as many vCPUs"
            raise BootFailed("queues", f"{most}, not {self.values['queues']}")
        if self.values["hugepages"]:
            stack.enter_context(reserved_huge_pages(context))
        set_mtu(context, int(self.values["mtu"]))
        argv = cloud_hypervisor_argv(self.found().path, bootable_kernel(context.images), context, self.values)
        words = context.directory / "cloud-hypervisor.err"
        output = stack.enter_context(words.open("wb"))
        placement = stack.enter_context(context.cgroup.placement(context.limits.cpu_set))
        how = Spawning(placement=placement, stdout=output, stderr=output, stop_s=STOP_S, cwd=context.directory)
        started = time.monotonic()
        deadline = started + context.boot_limit_s
        process = stack.enter_context(spawn(argv, how))
        files = (context.directory / LOG, words)
        watch = BootWatch("cloud-hypervisor", context.directory / CONSOLE, files, process.poll, lives_on=True)
        ready = watch.wait_ready(started + context.first_sign_s, deadline)
        with failing_as("agent"):
            agent = stack.enter_context(open_guest_agent(context.directory / VSOCK, AGENT_PORT, watch, deadline))
        instance = CloudHypervisorInstance(context, agent, watch, self)
        instance.started_at, instance.ready_at = started, ready
        return instance


class CloudHypervisorInstance(MicrovmInstance):
    """A guest under cloud-hypervisor."""

    def __init__(self, context: BootContext, agent: AgentClient, watch: BootWatch, vmm: CloudHypervisor) -> None:
        super().__init__(context, agent, watch, bool(vmm.values["hugepages"]))
        self.program = vmm.found()
        self.control = Control("cloud-hypervisor", context.directory / API)

    def prove_limits(self) -> tuple[Fact, ...]:
        facts = super().prove_limits()
        inside = {fact.name: fact.value for fact in facts}.get(WRITE_CACHE)
        if inside != WRITE_BACK:
            reason = f"the guest's write_cache says {inside!r}: its flushes are not offered"
            raise BootFailed("durability", reason, self.console())
        config = self.control.request("GET", "/api/v1/vm.info")["config"]
        limits = self.context.limits
        if (config["cpus"]["boot_vcpus"], config["memory"]["size"]) != (limits.cpus, limits.memory_bytes):
            raise BootFailed("machine", f"cloud-hypervisor says {config['cpus']} {config['memory']}", self.console())
        disk = next(one for one in config["disks"] if one["id"] == "data")
        shown = tuple(Fact(f"cloud-hypervisor.disk.{name}", disk[name]) for name in ("direct", "num_queues"))
        return (*facts, *shown, Fact(BYPASSES, disk["direct"]), *self.program.facts())

    def evidence(self) -> Evidence:
        """Its own counters since the boot, as `block.data.write_bytes`, `net.net0.tx_frames`. It counts no flushes."""
        told = self.control.request("GET", "/api/v1/vm.counters")
        return {
            f"{GROUPS[device]}.{device}.{name}": float(value)
            for device, values in told.items()
            if device in GROUPS
            for name, value in values.items()
            if NO_COUNTER not in name
        }
