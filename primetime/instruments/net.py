"""Bytes, packets and drops of the interfaces that carry an environment's traffic, from /proc/net/dev."""

from __future__ import annotations

import json
import os
from pathlib import Path

from primetime.errors import PrimetimeError
from primetime.host.process import run
from primetime.instruments.base import Instrument, Raw, Reading, cost
from primetime.model import Channel, Footprint, Measurement

COLUMNS = {0: "rx_bytes", 1: "rx_packets", 3: "rx_dropped", 8: "tx_bytes", 9: "tx_packets", 11: "tx_dropped"}
FIGURES = {
    "net_packets": ("1", "environment.rx_packets", "environment.tx_packets"),
    "net_bytes": ("B", "environment.rx_bytes", "environment.tx_bytes"),
    "net_dropped": ("1", "environment.rx_dropped", "environment.tx_dropped"),
    "control_packets": ("1", "control.rx_packets", "control.tx_packets"),
}
ROUTES = Path("/proc/net/route")
CAME_BY = "SSH_CONNECTION"  # sshd: client address, its port, own address, own port
LOOPBACK = "lo"
LIMIT_S = 20.0


class Net(Instrument):
    """The footprint's interfaces, and the control interface: where a controller's visits arrive."""

    name = "net"
    hz = 10.0

    def __init__(self) -> None:
        super().__init__()
        self.carrying: frozenset[str] = frozenset()
        self.control = ""

    def open(self, footprint: Footprint) -> None:
        super().open(footprint)
        self.carrying = frozenset(footprint.interfaces) - {""}
        self.control = watched_interface(os.environ.get(CAME_BY, ""))

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


def watched_interface(came_by: str) -> str:
    """The interface that leads to who started us over ssh (`came_by`: CAME_BY's value), else the default route's.

    A board may be reached by another one than its default route: a USB gadget's, a laboratory's own network.
    """
    client, _, zone = came_by.partition(" ")[0].partition("%")
    if zone or not client:
        return zone or control_interface(ROUTES.read_text(encoding="utf-8"))
    try:
        routes = json.loads(run(["ip", "-json", "route", "get", client], timeout_s=LIMIT_S).stdout)
        link = str(routes[0].get("dev", ""))
    except (PrimetimeError, ValueError, IndexError):  # no such address any more: an old terminal's
        link = ""
    return link if link not in ("", LOOPBACK) else control_interface(ROUTES.read_text(encoding="utf-8"))


def control_interface(routes: str) -> str:
    """The interface of the default route in /proc/net/route; "" where there is none."""
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000":
            return fields[0]
    return ""
