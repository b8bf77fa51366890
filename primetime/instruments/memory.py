"""Memory of the host from /proc/meminfo, and the footprint of an environment by PSS (contract §9)."""

from __future__ import annotations

from pathlib import Path

from primetime.host.cgroup import Cgroup
from primetime.instruments.base import Instrument, Raw, Reading, cost
from primetime.model import Channel, Footprint, Measurement

FIELDS = ("MemFree", "MemAvailable", "Cached", "Dirty", "Writeback", "AnonPages", "Slab", "SwapFree")
KIB = 1024


class Memory(Instrument):
    """The whole host."""

    name = "memory"
    hz = 1.0

    def paths(self, footprint: Footprint) -> list[Path]:  # noqa: ARG002 - the whole host
        return [Path("/proc/meminfo")]

    def parse(self, raw: Raw) -> Reading:
        values = parse_meminfo(raw[0].decode("ascii"))
        return {Channel(name, "B", False): float(values[name]) for name in FIELDS if name in values}

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        values = {channel.name: value for channel, value in after.items()}
        dirty = values.get("Dirty", 0.0) + values.get("Writeback", 0.0)
        cached = values.get("Cached", 0.0)
        return (cost("host_dirty_after", "B", dirty), cost("host_page_cache_after", "B", cached))


def parse_meminfo(text: str) -> dict[str, int]:
    """Parse /proc/meminfo into bytes by name."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        found[name] = int(words[0]) * (KIB if len(words) > 1 else 1)
    return found


def footprint_bytes(footprint: Footprint) -> int:
    """PSS of every process in the footprint, plus guest memory that no PSS shows, in bytes."""
    pids = {pid for name in footprint.cgroups for pid in Cgroup(name).pids()} | set(footprint.pids)
    return sum(proportional_set_size(pid) for pid in pids) + footprint.guest_touched_bytes


def proportional_set_size(pid: int) -> int:
    """PSS of one process in bytes; 0 when it has ended. Before Linux 4.14 only smaps tells, by mapping."""
    directory = Path(f"/proc/{pid}")
    name = "smaps_rollup" if Path("/proc/self/smaps_rollup").exists() else "smaps"
    try:
        return parse_pss((directory / name).read_text(encoding="utf-8", errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def parse_pss(text: str) -> int:
    """Sum the Pss lines of smaps_rollup (one) or smaps (one by mapping), in bytes."""
    return sum(int(line.split()[1]) * KIB for line in text.splitlines() if line.startswith("Pss:"))
