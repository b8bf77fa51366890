"""The rest of the CPU bill (contract §3): all tasks of the host together, and the peer's.

busy = environment + peer + observer + rest + interrupts + steal + residual. The root control group counts every
task, so rest = all − environment − peer − observer. A kernel with CONFIG_IRQ_TIME_ACCOUNTING times interrupts apart
from tasks, to the nanosecond, which makes them a part of their own; without it most are charged to the task that
they interrupt. The residual is what nobody is charged with: interrupts of an idle CPU, and the error of its idle time.
"""

from __future__ import annotations

from primetime.host.cgroup import PARENT, Cgroup
from primetime.host.facts import kernel_config
from primetime.instruments.base import Instrument, KeptFile, Raw, Reading, cost, total
from primetime.instruments.cgroup import parse_file
from primetime.instruments.cpu import parse_line
from primetime.model import Channel, Footprint, Measurement

ALL, PEER = Channel("all", "CPU s", True), Channel("peer", "CPU s", True)
INTERRUPTS = Channel("interrupts", "CPU s", True)
OPTION = "IRQ_TIME_ACCOUNTING"


class Bill(Instrument):
    """The root's and the peer's control group."""

    name = "bill"
    hz = 0.0
    interrupts_apart = False

    def open(self, footprint: Footprint) -> None:  # noqa: ARG002 - the groups have fixed names
        self.interrupts_apart = kernel_config().get(OPTION) == "y"
        for group in (Cgroup(""), Cgroup(f"{PARENT}/peer")):
            controller, name = ("cpu", "cpu.stat") if group.hierarchy.version == 2 else ("cpuacct", "cpuacct.usage")
            path = group.file(controller, name)
            if path.exists():
                self.files.append(KeptFile(path))
        self.files.append(KeptFile("/proc/stat"))

    def parse(self, raw: Raw) -> Reading:
        *groups, kinds = raw
        values = [next(iter(parse_file(content.decode("ascii")).values()), 0.0) for content in groups]
        found = dict(zip((ALL, PEER), values, strict=False))
        if self.interrupts_apart:
            ticks = parse_line(kinds.decode("ascii").partition("\n")[0])
            found[INTERRUPTS] = ticks["irq"] + ticks["softirq"]
        return found

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        found = [cost("cpu_tasks", ALL.unit, total(before, after, "all"))]
        if PEER in after:
            found.append(cost("cpu_peer", PEER.unit, total(before, after, "peer")))
        if INTERRUPTS in after:
            found.append(cost("cpu_interrupts", INTERRUPTS.unit, total(before, after, "interrupts")))
        return tuple(found)


def close_bill(measured: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
    """Return `cpu_rest` and `cpu_residual` from the parts that the instruments measured; () when one is missing."""
    values = {one.metric.name: one.value for one in measured}
    if not {"cpu_busy", "cpu_tasks", "cpu_environment", "observer_cpu"} <= values.keys():
        return ()
    own = values["cpu_environment"] + values.get("cpu_peer", 0.0) + values["observer_cpu"]
    charged = values["cpu_tasks"] + values.get("cpu_interrupts", 0.0) + values.get("cpu_steal", 0.0)
    return (
        cost("cpu_rest", ALL.unit, values["cpu_tasks"] - own),
        cost("cpu_residual", ALL.unit, values["cpu_busy"] - charged),
    )
