"""Proof after a boot (contract §3, §4): where every thread may run, and what kernel and TCP settings are inside."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from primetime.environments.base import Instance
from primetime.host.cgroup import Cgroup
from primetime.model import Command, Fact, Footprint

INSIDE = {
    "kernel.release": "/proc/sys/kernel/osrelease",
    "tcp.rmem": "/proc/sys/net/ipv4/tcp_rmem",
    "tcp.wmem": "/proc/sys/net/ipv4/tcp_wmem",
    "tcp.congestion_control": "/proc/sys/net/ipv4/tcp_congestion_control",
}
COMMAND_LIMIT_S = 30.0
NAMED = 8  # strays that are named; the rest are counted


def prove_threads(footprint: Footprint, cpus: frozenset[int]) -> tuple[Fact, ...]:
    """Return how many threads serve the environment and how many may run outside its CPUs.

    Kernel threads that serve it (vhost) are moved to its CPUs first: nobody else does it.
    """
    for thread in footprint.kernel_threads:
        os.sched_setaffinity(thread, cpus)
    inside = {pid for name in footprint.cgroups for pid in Cgroup(name).pids()}
    threads = list(threads_of(inside | set(footprint.pids) | set(footprint.kernel_threads)))
    strays = [name for name, allowed in threads if not allowed <= cpus]
    return (
        Fact("proof.threads", len(threads)),
        Fact("proof.strays", len(strays)),
        Fact("proof.strays_named", ", ".join(sorted(strays)[:NAMED])),
    )


def threads_of(pids: Iterable[int]) -> Iterable[tuple[str, frozenset[int]]]:
    """Yield ("name.tid", allowed CPUs) of every thread of these processes that lives."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*"):
            try:
                name = (task / "comm").read_text(encoding="utf-8", errors="replace").strip()
                yield f"{name}.{task.name}", frozenset(os.sched_getaffinity(int(task.name)))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked


def seen_inside(instance: Instance) -> tuple[Fact, ...]:
    """Return kernel release and TCP settings as seen inside; None for what is not shown there."""
    paths = list(INSIDE.values())
    outcome = instance.run(Command(("grep", "-H", "", *paths), COMMAND_LIMIT_S))
    lines = dict(line.split(":", 1) for line in outcome.stdout.decode("utf-8", "replace").splitlines() if ":" in line)
    found = {name: " ".join(lines[path].split()) if path in lines else None for name, path in INSIDE.items()}
    if found["kernel.release"] is None:  # gVisor shows it by the system call only
        found["kernel.release"] = instance.run(Command(("uname", "-r"), COMMAND_LIMIT_S)).stdout.decode().strip()
    return tuple(Fact(name, value) for name, value in found.items())
