"""What is seen inside after a boot (contract §1, §4): kernel, mitigations, TCP, the volume's mount, the way out."""

from __future__ import annotations

import json

from primetime.environments.base import DATA_DIRECTORY, Instance
from primetime.errors import CommandTimeout
from primetime.host.offloads import parse_ethtool
from primetime.model import Command, Fact

FILES = {
    "kernel.release": "/proc/sys/kernel/osrelease",
    "kernel.version": "/proc/sys/kernel/version",
    "tcp.rmem": "/proc/sys/net/ipv4/tcp_rmem",
    "tcp.wmem": "/proc/sys/net/ipv4/tcp_wmem",
    "tcp.congestion_control": "/proc/sys/net/ipv4/tcp_congestion_control",
}
MITIGATIONS = "/sys/devices/system/cpu/vulnerabilities"
COMMAND_LIMIT_S = 30.0
Found = dict[str, str | None]


def seen_inside(instance: Instance, peer: str) -> tuple[Fact, ...]:
    """Return facts as seen inside; None for what is not shown there. `peer`: its address, "" for none."""
    found = {**files(instance), **mount(instance), "kernel.page_bytes": said(instance, "getconf", "PAGESIZE") or None}
    if found["kernel.release"] is None:  # gVisor shows it by the system call only
        found["kernel.release"] = said(instance, "uname", "-r")
    if peer:
        found.update(way_out(instance, peer))
    return tuple(Fact(name, value) for name, value in found.items())


def said(instance: Instance, *argv: str) -> str:
    """What a program printed; "" when it failed."""
    try:
        outcome = instance.run(Command(argv, COMMAND_LIMIT_S))
    except CommandTimeout:
        return ""
    return outcome.stdout.decode("utf-8", "replace").strip() if outcome.returncode == 0 else ""


def files(instance: Instance) -> Found:
    """Kernel and TCP settings, and a fact for every mitigation that the kernel inside names."""
    outcome = instance.run(Command(("grep", "-rsH", "", *FILES.values(), MITIGATIONS), COMMAND_LIMIT_S))
    lines = dict(line.split(":", 1) for line in outcome.stdout.decode("utf-8", "replace").splitlines() if ":" in line)
    found: Found = {name: " ".join(lines[path].split()) if path in lines else None for name, path in FILES.items()}
    shown = {path: words for path, words in lines.items() if path.startswith(f"{MITIGATIONS}/")}
    found.update({f"mitigation.{path.rpartition('/')[2]}": words.strip() for path, words in sorted(shown.items())})
    return found


def mount(instance: Instance) -> Found:
    """The mount that holds the volume: its own, or the root's where the volume is part of that (overlay)."""
    rows = [line.split() for line in said(instance, "cat", "/proc/mounts").splitlines()]
    mounts = {row[1]: (row[2], row[3]) for row in rows if len(row) > 3}
    kind, options = mounts.get(DATA_DIRECTORY) or mounts.get("/") or (None, None)
    return {"volume.inside.type": kind, "volume.inside.options": options}


def way_out(instance: Instance, peer: str) -> Found:
    """MTU, queue and offloads of the interface that leads to the peer, as its own kernel says."""
    route = said(instance, "ip", "-json", "route", "get", peer)
    device = str(json.loads(route)[0].get("dev", "")) if route.startswith("[") else ""
    shown = said(instance, "ip", "-json", "link", "show", "dev", device) if device else ""
    link = json.loads(shown)[0] if shown.startswith("[") else {}
    offloads = parse_ethtool(said(instance, "ethtool", "-k", device)) if device else {}
    return {
        "path.inside.mtu": str(link["mtu"]) if link.get("mtu") else None,
        "path.inside.qdisc": link.get("qdisc"),
        "path.inside.offloads": ", ".join(f"{name} {state}" for name, state in offloads.items()) or None,
    }
