"""Bytes, packets and drops of the interfaces that carry an environment's traffic, from /proc/net/dev."""

from __future__ import annotations

from pathlib import Path

from primetime.instruments.base import Instrument, Raw, Reading, cost
from primetime.model import Channel, Footprint, Measurement

COLUMNS = {0: "rx_bytes", 1: "rx_packets", 3: "rx_dropped", 8: "tx_bytes", 9: "tx_packets", 11: "tx_dropped"}
FIGURES = {
    "net_packets": ("1", "environment.rx_packets", "environment.tx_packets"),
    "net_bytes": ("B", "environment.rx_bytes", "environment.tx_bytes"),
    "net_dropped": ("1", "environment.rx_dropped", "environment.tx_dropped"),
    "control_packets": ("1", "control.rx_packets", "control.tx_packets"),
}


class Net(Instrument):
    """The footprint's interfaces, and the control interface: where a controller's visits arrive. "": there is none."""

    name = "net"
    hz = 10.0

    def __init__(self, control: str) -> None:
        super().__init__()
        self.carrying: frozenset[str] = frozenset()
        self.control = control

    def open(self, footprint: Footprint) -> None:
        super().open(footprint)
        self.carrying = frozenset(footprint.interfaces) - {""}

    def paths(self, footprint: Footprint) -> list[Path]:  # noqa: ARG002 - one file shows all interfaces
        return [Path("/proc/net/dev")]

    def parse(self, raw: Raw) -> Reading:
        found: dict[Channel, float] = {}
        for name, columns in parse_dev(raw[0].decode("utf-8")).items():
            if name in self.carrying or name == self.control:
                label = "environment" if name in self.carrying else "control"
                for index, what in COLUMNS.items():
                    unit = "B" if what.endswith("bytes") else "1"
                    channel = Channel(f"{label}.{what}", unit, True)
                    found[channel] = found.get(channel, 0.0) + columns[index]
        return found

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        grown = {channel.name: after[channel] - before[channel] for channel in after if channel in before}
        found = []
        for figure, (unit, *names) in FIGURES.items():
            if all(name in grown for name in names):
                found.append(cost(figure, unit, sum(grown[name] for name in names)))
        return tuple(found)


def parse_dev(text: str) -> dict[str, list[int]]:
    """Parse /proc/net/dev: sixteen counters by interface."""
    found = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        found[name.strip()] = [int(field) for field in rest.split()]
    return found
