"""Which interface leads where, and which is the control interface: that by which controllers visit."""

from __future__ import annotations

import json
import os
from pathlib import Path

from primetime.errors import PrimetimeError
from primetime.host.process import run

ROUTES = Path("/proc/net/route")
CAME_BY = "SSH_CONNECTION"  # sshd: client address, its port, own address, own port
LOOPBACK = "lo"
LIMIT_S = 20.0


def link_to(address: str) -> str:
    """The interface that leads to an address, "" where iproute2 names none. CommandFailed where there is no way."""
    routes = json.loads(run(["ip", "-json", "route", "get", address], timeout_s=LIMIT_S).stdout)
    return str(routes[0].get("dev", ""))


def default_link(routes: str) -> str:
    """The interface of the default route in /proc/net/route; "" where there is none."""
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000":
            return fields[0]
    return ""


def control_interface() -> str:
    """The interface that leads to who started us over ssh, else the default route's; "" where there is neither.

    A board may be reached by another one than its default route: a USB gadget's, a laboratory's own network.
    """
    return link_of_visitor(os.environ.get(CAME_BY, "")) or default_link(ROUTES.read_text(encoding="utf-8"))


def link_of_visitor(came_by: str) -> str:
    """The interface behind which the ssh client of CAME_BY's value is; "" where nobody, or only this machine, came."""
    client, _, zone = came_by.partition(" ")[0].partition("%")
    if zone or not client:
        return zone
    try:
        link = link_to(client)
    except (PrimetimeError, ValueError, IndexError):  # no such address any more: an old terminal's
        return ""
    return "" if link == LOOPBACK else link
