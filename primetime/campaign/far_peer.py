"""A peer on another machine: is it there, what is it, how far, and over what link is it reached (contract §4)?"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from primetime.campaign.peer_service import Answer, ask, link_word
from primetime.environments.chroot import Chroot, ChrootPlan, open_chroot
from primetime.errors import CommandFailed, CommandTimeout, UserError
from primetime.host.process import Placement
from primetime.host.routes import control_interface, link_to
from primetime.model import Command, Fact

NETPERF_PORT = 12865
OVER_CONTROL = "network.peer_over_control"  # the fact that a test's own packets are counted among the visitors'
REACH_LIMIT_S = 5.0
ROUNDS = 5
WIRE_S, WIRE_LIMIT_S = 2, 30.0
WIRE = {"send": "stream", "receive": "maerts"}
NETPERF = ("netperf", "-t", "omni", "-l", str(WIRE_S), "-P", "0", "-f", "m")
OPTIONS = ("--", "-T", "tcp", "-k", "THROUGHPUT,THROUGHPUT_UNITS")


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
            raise UserError(words, f"start there: primetime peer, or netserver -D -4 -p {port}") from None
    link = link_to(address)
    return (
        Fact("network.peer_round_trip_s", min(trips)),
        Fact("network.link", link),
        Fact(OVER_CONTROL, link == control_interface()),
        Fact("network.link_speed_mbit", link_word(link, "speed")),
        Fact("network.link_duplex", link_word(link, "duplex")),
        Fact("network.link_mtu", link_word(link, "mtu")),
        *peers_own_facts(ask(host)),
    )


def peers_own_facts(answer: Answer | None) -> Iterator[Fact]:
    """What the peer says of itself; only that it says nothing where no `primetime peer` runs there."""
    yield Fact("peer.watched", answer is not None)
    if answer is None:
        return
    yield Fact("peer.kernel", answer["kernel"])
    for group, prefix in (("versions", "peer"), ("tcp", "peer"), ("link", "peer.link")):
        for name, value in answer[group].items():
            yield Fact(f"{prefix}.{name}", value)


@contextmanager
def userland(tree: Path) -> Iterator[Chroot]:
    """The userland's programs on this host, as natively; nothing they do can reach the cached tree."""
    with (
        TemporaryDirectory() as place,
        open_chroot(ChrootPlan(tree, Path(place, "root"), None, Placement())) as chroot,
    ):
        yield chroot


def own_versions(tree: Path) -> Iterator[Fact]:
    """The versions of the same tools in the userland, where the peer's must be compared."""
    with userland(tree) as chroot:
        for name, flag in (("netserver", "-V"), ("iperf3", "--version")):
            said = chroot.run(Command((name, flag), WIRE_LIMIT_S)).stdout.decode().split()
            yield Fact(f"userland.{name}", next((word for word in said if word[0].isdigit()), ""))


def wire_facts(where: str, tree: Path) -> Iterator[Fact]:
    """The wire's own limit (contract §7): streams of the userland's netperf without any environment, in bit/s."""
    host, port = parse_peer(where)
    with userland(tree) as chroot:
        for way, direction in WIRE.items():
            yield wire_fact(chroot, way, (*NETPERF, "-H", f"{host},4", "-p", str(port), *OPTIONS, "-d", direction))


def wire_fact(chroot: Chroot, way: str, argv: tuple[str, ...]) -> Fact:
    """One way of the wire, or why it was not measured."""
    try:
        outcome = chroot.run(Command(argv, WIRE_LIMIT_S))
    except CommandTimeout as slow:
        return Fact(f"device.limit.wire_{way}_unknown", f"not measured: {slow}")
    if outcome.returncode != 0:
        error = CommandFailed(argv, outcome.returncode, outcome.stderr or outcome.stdout)
        return Fact(f"device.limit.wire_{way}_unknown", f"not measured: {error}")
    values = dict(line.split("=", 1) for line in outcome.stdout.decode().splitlines() if "=" in line)
    return Fact(f"device.limit.wire_{way}_bits_per_s", round(float(values["THROUGHPUT"]) * 1e6))
