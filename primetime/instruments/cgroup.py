"""What an environment used: CPU time and memory of its cgroups, and CPU time of what serves it outside them.

Version 1: cpuacct.usage (ns), memory.stat total_*. Version 2: cpu.stat usage_usec, memory.stat. Processes
and kernel threads of the footprint that the cgroups hold as well (vhost threads follow their VMM there) are
counted there only. Outside the limit is what is outside the cgroups and, where only some threads keep to the
limit, what the cgroups used beyond them.
"""

from __future__ import annotations

from pathlib import Path

from primetime.host.cgroup import Cgroup
from primetime.instruments.base import CLOCK_TICK_S, Instrument, KeptFile, Raw, Reading, cost
from primetime.model import Channel, Footprint, Measurement

MEMORY_OLD = {"total_rss": "anon", "total_cache": "file", "total_dirty": "dirty", "total_writeback": "writeback"}
MEMORY_NEW = {"anon": "anon", "file": "file", "file_dirty": "dirty", "file_writeback": "writeback"}
CPU = Channel("cpu", "CPU s", True)
TICK_FIELDS = slice(11, 13)  # utime and stime of /proc/PID/stat, behind the command's closing bracket


class CgroupUse(Instrument):
    """The footprint's cgroups, summed; a channel for every process outside them."""

    name = "cgroup"
    hz = 10.0

    def __init__(self) -> None:
        super().__init__()
        self.outside: tuple[int, ...] = ()  # whose files are the last ones but
        self.limited: tuple[int, ...] = ()  # those of the only threads that keep to the limit

    def open(self, footprint: Footprint) -> None:
        inside: set[int] = set()
        for name in footprint.cgroups:
            group = Cgroup(name)
            cpu = ("cpu", "cpu.stat") if group.hierarchy.version == 2 else ("cpuacct", "cpuacct.usage")
            self.files.append(KeptFile(group.file(*cpu)))
            self.files.append(KeptFile(group.file("memory", "memory.stat")))
            inside |= group.pids()
        outside: list[int] = []
        for pid in sorted({*footprint.pids, *footprint.kernel_threads} - inside):
            clock = "schedstat" if pid in footprint.kernel_threads else "stat"  # schedstat: one thread, but ns
            path = Path(f"/proc/{pid}/{clock}")
            if path.exists():
                self.files.append(KeptFile(path))
                outside.append(pid)
        self.outside = tuple(outside)
        self.limited = footprint.limited_threads
        self.files += [KeptFile(f"/proc/{thread}/schedstat") for thread in self.limited]

    def parse(self, raw: Raw) -> Reading:
        split = len(raw) - len(self.outside) - len(self.limited)
        sums: dict[Channel, float] = {}
        for content in raw[:split]:
            for channel, value in parse_file(content.decode("ascii")).items():
                sums[channel] = sums.get(channel, 0.0) + value
        names = [f"outside.{pid}.cpu" for pid in self.outside] + [f"limited.{thread}.cpu" for thread in self.limited]
        for name, content in zip(names, raw[split:], strict=True):
            if content:  # empty: it has ended
                sums[Channel(name, CPU.unit, True)] = parse_clock(content.decode("utf-8", "replace"))
        return sums

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        grown = {one.name: after[one] - before[one] for one in after if one.cumulative and one in before}
        if not grown:
            return ()
        groups = grown.get(CPU.name, 0.0)
        outside = sum(seconds for name, seconds in grown.items() if name.startswith("outside."))
        limited = sum(seconds for name, seconds in grown.items() if name.startswith("limited."))
        beyond = outside + (max(0.0, groups - limited) if self.limited else 0.0)
        found = [cost("cpu_environment", CPU.unit, groups + outside), cost("cpu_outside", CPU.unit, beyond)]
        sizes = {channel.name: value for channel, value in after.items() if not channel.cumulative}
        if "writeback" in sizes:  # on its way to the disk, but not there: dirty, as everywhere here
            sizes["dirty"] = sizes.get("dirty", 0.0) + sizes["writeback"]
        kept = [name for name in ("anon", "file", "dirty") if name in sizes]
        found += [cost(f"environment_{name}_after", "B", sizes[name]) for name in kept]
        return tuple(found)


def parse_file(text: str) -> dict[Channel, float]:
    """Parse any of the three files; they are told apart by what stands in them."""
    if len(text.split()) == 1:
        return {CPU: int(text) / 1e9}
    found: dict[Channel, float] = {}
    lines = dict(line.split() for line in text.splitlines() if line)
    if "usage_usec" in lines:
        found[CPU] = int(lines["usage_usec"]) / 1e6
    names = MEMORY_OLD if "total_rss" in lines else MEMORY_NEW
    for theirs, ours in names.items():
        if theirs in lines:
            found[Channel(ours, "B", False)] = float(lines[theirs])
    return found


def parse_clock(text: str) -> float:
    """CPU seconds from /proc/PID/stat (a process, its ended threads included) or /proc/PID/schedstat (a thread)."""
    if ")" not in text:
        return int(text.split()[0]) / 1e9
    fields = text.rpartition(")")[2].split()[TICK_FIELDS]
    return sum(int(field) for field in fields) * CLOCK_TICK_S
