"""How long the CPUs ran at which frequency, and how often that changed: cpufreq's own count, at the edges of windows.

A kernel with CONFIG_CPU_FREQ_STAT counts per policy (the CPUs that share a clock) in units of 10 ms
(Documentation/cpu-freq/cpufreq-stats). Drivers that know no table of frequencies (intel_pstate) count nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from primetime.instruments.base import Instrument, Raw, Reading
from primetime.model import Channel, Direction, Footprint, Measurement, Metric, MetricKind

POLICIES = Path("/sys/devices/system/cpu/cpufreq")
TIMES, CHANGES = "stats/time_in_state", "stats/total_trans"
TICK_S = 0.01  # "usertime units", 10 ms
CHANGED = "changes"


class Residency(Instrument):
    """See the module. Channels: POLICY.kHz in s, POLICY.changes."""

    name = "residency"
    hz = 0.0

    def __init__(self, policies: Path = POLICIES) -> None:
        super().__init__()
        self.policies = sorted(policies.glob("policy*"))

    def unavailable(self) -> str:
        if not self.policies:
            return "this device has no cpufreq: at which frequency its CPUs ran is not measured"
        if not any((policy / TIMES).exists() for policy in self.policies):
            return "cpufreq counts no time per frequency here (no CONFIG_CPU_FREQ_STAT, intel_pstate): not measured"
        return ""

    def paths(self, footprint: Footprint) -> list[Path]:  # noqa: ARG002 - the whole host
        return [policy / name for policy in self.counted() for name in (TIMES, CHANGES)]

    def counted(self) -> list[Path]:
        """The policies that count."""
        return [policy for policy in self.policies if (policy / TIMES).exists() and (policy / CHANGES).exists()]

    def parse(self, raw: Raw) -> Reading:
        found: dict[Channel, float] = {}
        for policy, times, changes in zip(self.counted(), raw[::2], raw[1::2], strict=True):
            for khz, seconds in time_in_state(times.decode("ascii")).items():
                found[Channel(f"{policy.name}.{khz}", "s", True)] = seconds
            if changes.strip():
                found[Channel(f"{policy.name}.{CHANGED}", "1", True)] = float(changes)
        return found

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        return figures({channel.name: value - before[channel] for channel, value in after.items() if channel in before})


def time_in_state(text: str) -> dict[int, float]:
    """Seconds by kHz. ValueError."""
    pairs = (line.split() for line in text.splitlines() if line.strip())
    return {int(khz): int(ticks) * TICK_S for khz, ticks in pairs}


def figures(gained: Mapping[str, float]) -> tuple[Measurement, ...]:
    """The mean frequency over time and policies, the part of the time at each that was used, and the changes.

    () where no time was counted: a tick of 10 ms is more than a very short window.
    """
    times: dict[tuple[str, int], float] = {}
    changes = 0.0
    for name, value in gained.items():
        policy, _, what = name.partition(".")
        if what == CHANGED:
            changes += value
        elif value > 0:
            times[policy, int(what)] = value
    total = sum(times.values())
    if total <= 0:
        return ()
    mean_hz = 1000.0 * sum(khz * seconds for (_, khz), seconds in times.items()) / total
    several = len({policy for policy, _ in times}) > 1
    found = [condition("frequency_mean", "Hz", mean_hz), condition("frequency_changes", "1", changes)]
    for (policy, khz), seconds in sorted(times.items()):
        own = sum(one for (other, _), one in times.items() if other == policy)
        where = f"{policy}_" if several else ""
        found.append(condition(f"frequency_share_{where}{khz / 1000:g}MHz", "1", seconds / own))
    return tuple(found)


def condition(name: str, unit: str, value: float) -> Measurement:
    """A figure of the conditions of a trial: shown, and no subject of a verdict."""
    return Measurement(Metric(name, unit, Direction.HIGHER, MetricKind.RATIO), value)
