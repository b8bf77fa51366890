"""A guest under Firecracker: its limits and its durability proved, its own counters as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from primetime.environments.agent import AgentClient
from primetime.environments.base import BootContext
from primetime.environments.firecracker_config import API, METRICS, Places
from primetime.environments.firecracker_metrics import MetricsFile
from primetime.environments.http_socket import Control
from primetime.environments.vmm import MicrovmInstance
from primetime.environments.vmm_program import VmmProgram
from primetime.environments.watching import BootWatch
from primetime.errors import BootFailed
from primetime.model import Evidence, Fact, Scalar

WRITE_CACHE = "guest.vdb.write_cache"
SHOWN_INSIDE = {"Writeback": "write back", "Unsafe": "write through"}  # block-caching.md: FLUSH offered or not
RECORDED = ("cache_type", "io_engine", "pci", "huge_pages", "jailer")


@dataclass(frozen=True, slots=True)
class Running:
    """A running Firecracker."""

    places: Places
    watch: BootWatch
    values: Mapping[str, Scalar]
    program: VmmProgram


class FirecrackerInstance(MicrovmInstance):
    """See the module."""

    def __init__(self, context: BootContext, agent: AgentClient, vmm: Running) -> None:
        super().__init__(context, agent, vmm.watch, vmm.values["huge_pages"] != "None")
        self.vmm = vmm
        self.control = Control("Firecracker", vmm.places.on_host(API))
        self.metrics = MetricsFile(vmm.places.on_host(METRICS)) if vmm.values["metrics"] else None

    def prove_limits(self) -> tuple[Fact, ...]:
        facts = super().prove_limits()
        inside = {fact.name: fact.value for fact in facts}.get(WRITE_CACHE)
        wanted = SHOWN_INSIDE[str(self.vmm.values["cache_type"])]
        if inside != wanted:
            reason = f"the guest's write_cache says {inside!r}, with {self.vmm.values['cache_type']} it is {wanted!r}"
            raise BootFailed("durability", reason, self.console())
        limits = self.context.limits
        told = self.control.request("GET", "/machine-config")
        if (told["vcpu_count"], told["mem_size_mib"]) != (limits.cpus, limits.memory_bytes >> 20):
            raise BootFailed("machine", f"Firecracker says {told}", self.console())
        own = tuple(Fact(f"firecracker.{name}", self.vmm.values[name]) for name in RECORDED)
        return (*facts, *own, *self.vmm.program.facts())

    def evidence(self) -> Evidence:
        """Firecracker's counters since the boot, flushed now, as `block.data.flush_count`, `net.eth0.…`, `vcpu.…`."""
        if self.metrics is None:
            return {}
        self.control.request("PUT", "/actions", {"action_type": "FlushMetrics"})
        self.metrics.read()
        return dict(self.metrics.totals)

    def records(self) -> Mapping[str, bytes]:
        return {} if self.metrics is None else {"firecracker.metrics": self.metrics.take_lines()}
