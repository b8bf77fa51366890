"""Interrupts, context switches and softirqs of the whole host, from /proc/stat and /proc/softirqs."""

from __future__ import annotations

from pathlib import Path

from primetime.instruments.base import Instrument, Raw, Reading, cost, total
from primetime.model import Channel, Footprint, Measurement

TOTALS = {"intr": "interrupts", "ctxt": "context_switches"}  # lines of /proc/stat


class Interrupts(Instrument):
    """Read at the edges of windows only: their cause is a question of totals."""

    name = "interrupts"
    hz = 0.0

    def paths(self, footprint: Footprint) -> list[Path]:  # noqa: ARG002 - the whole host
        return [Path("/proc/stat"), Path("/proc/softirqs")]

    def parse(self, raw: Raw) -> Reading:
        found: dict[Channel, float] = {}
        for line in raw[0].decode("ascii").splitlines():
            name, _, rest = line.partition(" ")
            if name in TOTALS:
                found[Channel(TOTALS[name], "1", True)] = float(rest.split(None, 1)[0])
        for line in raw[1].decode("ascii").splitlines()[1:]:
            kind, _, counts = line.partition(":")
            found[Channel(f"softirq.{kind.strip()}", "1", True)] = float(sum(int(count) for count in counts.split()))
        return found

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        softirqs = sum(after[channel] - before[channel] for channel in after if channel.name.startswith("softirq."))
        totals = [cost(name, "1", total(before, after, name)) for name in TOTALS.values()]
        return (*totals, cost("softirqs", "1", softirqs))
