"""Memory of the host from /proc/meminfo, and the footprint of an environment by PSS (contract §9)."""

from __future__ import annotations

from pathlib import Path

from primetime.host.cgroup import Cgroup
from primetime.host.memory import MEMINFO, parse_meminfo, proportional_bytes
from primetime.instruments.base import Instrument, Raw, Reading, cost
from primetime.model import Channel, Footprint, Measurement

FIELDS = ("MemFree", "MemAvailable", "Cached", "Dirty", "Writeback", "AnonPages", "Slab", "SwapFree")


class Memory(Instrument):
    """The whole host."""

    name = "memory"
    hz = 1.0

    def paths(self, footprint: Footprint) -> list[Path]:  # noqa: ARG002 - the whole host
        return [MEMINFO]

    def parse(self, raw: Raw) -> Reading:
        values = parse_meminfo(raw[0])
        return {Channel(name, "B", False): float(values[name]) for name in FIELDS if name in values}

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        values = {channel.name: value for channel, value in after.items()}
        dirty = values.get("Dirty", 0.0) + values.get("Writeback", 0.0)
        cached = values.get("Cached", 0.0)
        return (cost("host_dirty_after", "B", dirty), cost("host_page_cache_after", "B", cached))


def footprint_bytes(footprint: Footprint) -> int:
    """PSS of every process in the footprint, plus guest memory that no PSS shows, in bytes."""
    pids = {pid for name in footprint.cgroups for pid in Cgroup(name).pids()} | set(footprint.pids)
    return proportional_bytes(pids) + footprint.guest_touched_bytes
