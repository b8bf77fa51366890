"""Proof that a cgroup's limits hold: read back from its own files, and seen from inside."""

from __future__ import annotations

from primetime.environments.base import Instance
from primetime.errors import BootFailed
from primetime.host.cgroup import Cgroup
from primetime.model import Command, Fact, Limits

PAGE_SLACK = 64 * 1024  # version 1 rounds limits down to pages


def prove_cgroup(instance: Instance, cgroup: Cgroup, limits: Limits) -> tuple[Fact, ...]:
    """Return facts that show memory, CPU set and CPU count; BootFailed for the first that does not hold."""
    memory = cgroup.memory()["limit"]
    if not limits.memory_bytes - PAGE_SLACK <= memory <= limits.memory_bytes:
        raise BootFailed("memory limit", f"the cgroup allows {memory} bytes, not {limits.memory_bytes}")
    allowed = cgroup.cpus()
    if allowed != frozenset(limits.cpu_set):
        raise BootFailed("CPU set", f"the cgroup allows CPUs {sorted(allowed)}, not {sorted(limits.cpu_set)}")
    seen = int(instance.run(Command(("nproc",), timeout_s=30.0)).stdout)
    if seen != limits.cpus:
        raise BootFailed("CPU count", f"{seen} CPUs are seen inside, not {limits.cpus}")
    return (
        Fact("limits.memory_bytes", memory),
        Fact("limits.cpus_inside", seen),
        Fact("limits.cpu_set", ",".join(str(cpu) for cpu in sorted(allowed))),
    )
