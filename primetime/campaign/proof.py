"""Proof after a boot (contract §3): where every thread may run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from primetime.host.cgroup import Cgroup
from primetime.model import Fact, Footprint

NAMED = 8  # strays that are named; the rest are counted


def prove_threads(footprint: Footprint, cpus: frozenset[int]) -> tuple[Fact, ...]:
    """Return how many threads serve the environment, and how many may run outside its CPUs or its cgroups.

    Kernel threads that serve it (vhost) are moved to its CPUs first: nobody else does it. Where only some
    threads keep to the limit (vmm_outside), the others are no strays.
    """
    for thread in footprint.kernel_threads:
        os.sched_setaffinity(thread, cpus)
    inside = {pid for name in footprint.cgroups for pid in Cgroup(name).pids()}
    serving = set(footprint.pids) | set(footprint.kernel_threads)
    threads = list(threads_of(inside | serving))
    bound = footprint.limited_threads or tuple(thread for _, thread, _ in threads)
    strays = [f"{name}.{thread}" for name, thread, allowed in threads if thread in bound and not allowed <= cpus]
    beyond = sorted(serving - inside)
    return (
        Fact("proof.threads", len(threads)),
        Fact("proof.unlimited_threads", len(threads) - len(bound)),
        Fact("proof.strays", len(strays)),
        Fact("proof.strays_named", ", ".join(sorted(strays)[:NAMED])),
        Fact("proof.outside_cgroups", len(beyond)),
    )


def threads_of(pids: Iterable[int]) -> Iterable[tuple[str, int, frozenset[int]]]:
    """Yield (name, tid, allowed CPUs) of every thread of these processes that lives."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*"):
            try:
                name = (task / "comm").read_text(encoding="utf-8", errors="replace").strip()
                yield name, int(task.name), frozenset(os.sched_getaffinity(int(task.name)))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
