"""The rest of the CPU bill (contract §3): all tasks of the host together, and the peer's.

busy = environment + peer + observer + rest + residual. The root control group counts every task, so
rest = all − environment − peer − observer, and the residual is what no task is charged with: interrupts
that a kernel accounts to nobody, and the error of its idle time.
"""

from __future__ import annotations

from primetime.host.cgroup import PARENT, Cgroup
from primetime.instruments.base import Instrument, KeptFile, Raw, Reading, cost, total
from primetime.instruments.cgroup import parse_file
from primetime.model import Channel, Footprint, Measurement

ALL, PEER = Channel("all", "CPU s", True), Channel("peer", "CPU s", True)


class Bill(Instrument):
    """The root's and the peer's control group."""

    name = "bill"
    hz = 0.0

    def open(self, footprint: Footprint) -> None:  # noqa: ARG002 - the groups have fixed names
        for group in (Cgroup(""), Cgroup(f"{PARENT}/peer")):
            controller, name = ("cpu", "cpu.stat") if group.hierarchy.version == 2 else ("cpuacct", "cpuacct.usage")
            path = group.file(controller, name)
            if path.exists():
                self.files.append(KeptFile(path))

    def parse(self, raw: Raw) -> Reading:
        values = [next(iter(parse_file(content.decode("ascii")).values()), 0.0) for content in raw]
        return dict(zip((ALL, PEER), values, strict=False))

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        found = [cost("cpu_tasks", ALL.unit, total(before, after, "all"))]
        if PEER in after:
            found.append(cost("cpu_peer", PEER.unit, total(before, after, "peer")))
        return tuple(found)


def close_bill(measured: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
    """Return `cpu_rest` and `cpu_residual` from the parts that the instruments measured; () when one is missing."""
    values = {one.metric.name: one.value for one in measured}
    if not {"cpu_busy", "cpu_tasks", "cpu_environment", "observer_cpu"} <= values.keys():
        return ()
    own = values["cpu_environment"] + values.get("cpu_peer", 0.0) + values["observer_cpu"]
    return (
        cost("cpu_rest", ALL.unit, values["cpu_tasks"] - own),
        cost("cpu_residual", ALL.unit, values["cpu_busy"] - values["cpu_tasks"]),
    )
