"""Is the device quiet and cool enough to measure on?"""

from __future__ import annotations

import time
from pathlib import Path

from primetime.host.memory import MEMINFO, parse_meminfo, unwritten_bytes


def busy_fraction(window_s: float) -> float:
    """Watch the whole host for `window_s` seconds; return busy CPU time over all CPU time, 0 to 1."""
    before = cpu_ticks()
    time.sleep(window_s)
    after = cpu_ticks()
    total = sum(after) - sum(before)
    idle = sum(after[3:5]) - sum(before[3:5])
    return 1.0 - idle / total if total > 0 else 0.0


def cpu_ticks() -> list[int]:
    """user, nice, system, idle, iowait, irq, softirq, steal of all CPUs together, in clock ticks."""
    with Path("/proc/stat").open(encoding="ascii") as stat:
        return [int(field) for field in stat.readline().split()[1:9]]


def hottest() -> float | None:
    """The hottest thermal zone in degrees Celsius; None where the device shows none."""
    found = []
    for zone in Path("/sys/class/thermal").glob("thermal_zone*/temp"):
        try:
            found.append(int(zone.read_text(encoding="ascii")) / 1000.0)
        except (OSError, ValueError):
            continue  # a zone whose sensor is off
    return max(found, default=None)


def dirty_bytes() -> int:
    """The host's Dirty + Writeback, in bytes."""
    return unwritten_bytes(parse_meminfo(MEMINFO.read_bytes()))
