"""What a far peer says of itself while others measure against it (contract §4): `primetime peer` there, asked here.

One connection is one question; the answer is one JSON object with versions, the link that the question came in by,
TCP sizes, and the CPU time that the peer has used so far.
"""

from __future__ import annotations

import json
import platform
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primetime import __version__
from primetime.campaign.quiet import cpu_ticks
from primetime.errors import CommandTimeout
from primetime.host.process import Spawning, find_program, run, spawn

PORT = 12864  # one below netperf's own
ANSWER_LIMIT_S = 5.0
VERSION_LIMIT_S = 10.0
LONGEST = 1 << 16
LINKS = Path("/sys/class/net")
SERVERS = {"netserver": ("-D", "-4"), "iperf3": ("--server", "--version4")}
VERSIONS = {"netserver": "-V", "iperf3": "--version"}
TCP = ("tcp_rmem", "tcp_wmem", "tcp_congestion_control")
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PeerUse:
    """CPU time of all the peer's CPUs since it started, in clock ticks: busy, and with idle."""

    busy: int
    total: int


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Keep the tools' own servers running that this machine has; yield each one's version, "" for what it lacks."""
    with ExitStack() as stack:
        found: dict[str, str] = {}
        for name, options in SERVERS.items():
            program = find_program(name)
            found[name] = version(program, VERSIONS[name]) if program else ""
            if program:
                stack.enter_context(spawn([program, *options], Spawning(stop_s=1.0)))
        yield found


def version(program: str, flag: str) -> str:
    """The last word of the first line that a tool says of itself: "2.7.0"; iperf3 says it as the second."""
    try:
        said = run([program, flag], timeout_s=VERSION_LIMIT_S, check=False).stdout.decode(errors="replace").split()
    except (CommandTimeout, OSError):
        return ""
    return next((word for word in said if word[0].isdigit()), "")


def serve(listener: socket.socket, versions: Mapping[str, str]) -> None:
    """Answer until something ends us."""
    while True:
        connection, _ = listener.accept()
        with connection, suppress(OSError):  # who asked may be gone
            connection.settimeout(ANSWER_LIMIT_S)
            connection.sendall(json.dumps(describe(connection.getsockname()[0], versions)).encode() + b"\n")


def describe(address: str, versions: Mapping[str, str]) -> dict[str, object]:
    """What is said; `address`: ours, as the asker knows it."""
    link = link_of(address)
    ticks = cpu_ticks()
    return {
        "primetime": __version__,
        "kernel": platform.release(),
        "versions": dict(versions),
        "tcp": {name: " ".join(Path("/proc/sys/net/ipv4", name).read_text("ascii").split()) for name in TCP},
        "link": {"name": link, **{word: link_word(link, word) for word in ("speed", "duplex", "mtu")}},
        "cpu": {"busy": sum(ticks) - sum(ticks[3:5]), "total": sum(ticks)},
        "monotonic": time.monotonic(),
    }


def link_of(address: str) -> str:
    """The interface that has an address; "" when none has."""
    shown = run(["ip", "-json", "address", "show"], timeout_s=VERSION_LIMIT_S).stdout
    for link in json.loads(shown):
        if any(one.get("local") == address for one in link.get("addr_info", ())):
            return str(link["ifname"])
    return ""


def link_word(link: str, name: str) -> str | None:
    """One word of an interface in /sys/class/net; None where it has none (a virtual one has no speed)."""
    try:
        return (LINKS / link / name).read_text(encoding="ascii").strip()
    except OSError:
        return None


def ask(host: str) -> Answer | None:
    """Ask a far peer; None when nobody answers there, or something else does."""
    try:
        with socket.create_connection((host, PORT), ANSWER_LIMIT_S) as connection, connection.makefile("rb") as lines:
            answer = json.loads(lines.readline(LONGEST))
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) and "primetime" in answer else None


def use_in(answer: Answer | None) -> PeerUse | None:
    """The CPU time in an answer."""
    return PeerUse(int(answer["cpu"]["busy"]), int(answer["cpu"]["total"])) if answer else None


def busy_between(before: PeerUse | None, after: PeerUse | None) -> float | None:
    """The part of the peer's CPUs that was busy between two answers, 0 to 1; None when one is missing."""
    if before is None or after is None or after.total <= before.total:
        return None
    return (after.busy - before.busy) / (after.total - before.total)
