"""CPU time of the whole host by kind, from /proc/stat, in CPU seconds.

The kernel's `user` contains `guest`, and `nice` contains `guest_nice` (proc(5)); here they are apart, so
that the kinds add up to the whole. busy = wall * CPUs - idle - iowait.
"""

from __future__ import annotations

from pathlib import Path

from primetime.instruments.base import CLOCK_TICK_S, Instrument, Raw, Reading, cost, growth
from primetime.model import Channel, Footprint, Measurement

FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
UNIT = "CPU s"
CPUS = Channel("cpus", "1", False)


class Stat(Instrument):
    """/proc/stat without its line of interrupts: that one is kilobytes long, and of no use here."""

    def paths(self, footprint: Footprint) -> list[Path]:  # noqa: ARG002 - the whole host
        return [Path("/proc/stat")]

    def read(self) -> Raw:
        return tuple(file.read().partition(b"intr")[0] for file in self.files)


class Cpu(Stat):
    """All CPUs together."""

    name = "cpu"
    hz = 10.0

    def parse(self, raw: Raw) -> Reading:
        lines = raw[0].decode("ascii").splitlines()
        found = {Channel(kind, UNIT, True): value for kind, value in parse_line(lines[0]).items()}
        found[CPUS] = float(sum(line.startswith("cpu") for line in lines) - 1)
        return found

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:
        grown = {kind: growth(before, after, kind) or 0.0 for kind in FIELDS}
        idle = grown["idle"] + grown["iowait"]
        figures = {
            "cpu_busy": max(0.0, seconds * after[CPUS] - idle),  # ticks are 10 ms: an idle window can end below 0
            "cpu_user": grown["user"] + grown["nice"],
            "cpu_guest": grown["guest"] + grown["guest_nice"],
            **{f"cpu_{kind}": grown[kind] for kind in ("system", "softirq", "irq", "steal")},
        }
        return tuple(cost(name, UNIT, value) for name, value in figures.items())


class PerCpu(Stat):
    """Each CPU by itself."""

    name = "percpu"
    hz = 1.0

    def parse(self, raw: Raw) -> Reading:
        found: dict[Channel, float] = {}
        for line in raw[0].decode("ascii").splitlines()[1:]:
            name = line.split(None, 1)[0]
            found.update({Channel(f"{name}.{kind}", UNIT, True): value for kind, value in parse_line(line).items()})
        return found


def parse_line(line: str) -> dict[str, float]:
    """Parse one cpu line into CPU seconds by kind; user and nice without the guests' time in them."""
    ticks = dict(zip(FIELDS, (int(field) for field in line.split()[1:]), strict=False))
    ticks["user"] -= ticks.get("guest", 0)
    ticks["nice"] -= ticks.get("guest_nice", 0)
    return {kind: value * CLOCK_TICK_S for kind, value in ticks.items()}
