"""A peer on another machine: is it there, how far is it, and over what link is it reached (contract §4)?"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from primetime.errors import UserError
from primetime.host.process import run
from primetime.model import Fact

NETPERF_PORT = 12865
REACH_LIMIT_S = 5.0
ROUNDS = 5
LINKS = Path("/sys/class/net")


def parse_peer(where: str) -> tuple[str, int]:
    """Return host and control port of "host" or "host:port"."""
    host, _, port = where.partition(":")
    return host, int(port or NETPERF_PORT)


def far_peer_facts(where: str) -> tuple[Fact, ...]:
    """Connect to the peer's control port and look at the way there. UserError when nobody answers."""
    host, port = parse_peer(where)
    trips = []
    for _ in range(ROUNDS):
        t0 = time.monotonic()
        try:
            with socket.create_connection((host, port), REACH_LIMIT_S) as connection:
                trips.append(time.monotonic() - t0)
                address = connection.getpeername()[0]
        except OSError as error:
            words = f"the peer {host} does not answer on port {port} ({error.strerror or error})"
            raise UserError(words, f"start there: netserver -D -4 -p {port}") from None
    routes = json.loads(run(["ip", "-json", "route", "get", address], timeout_s=20).stdout)
    link = str(routes[0].get("dev", ""))
    return (
        Fact("network.peer_round_trip_s", min(trips)),
        Fact("network.link", link),
        Fact("network.link_speed_mbit", link_word(link, "speed")),
        Fact("network.link_duplex", link_word(link, "duplex")),
        Fact("network.link_mtu", link_word(link, "mtu")),
    )


def link_word(link: str, name: str) -> str | None:
    """One word of an interface in /sys/class/net; None where it has none (a virtual one has no speed)."""
    try:
        return (LINKS / link / name).read_text(encoding="ascii").strip()
    except OSError:
        return None
