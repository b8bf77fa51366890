"""The four CPU sets (contract §3): environment, peer, observer, kernel; by core count unless the study says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from primetime.errors import UserError
from primetime.host.cgroup import Cgroup, read_hierarchy
from primetime.model import Fact, Study

Cpus = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CpuSets:
    """Host CPU numbers by set."""

    environment: Cpus
    peer: Cpus
    observer: Cpus
    kernel: Cpus

    @property
    def shared(self) -> bool:
        """Whether the environment shares a CPU with anybody."""
        return bool(set(self.environment) & {*self.peer, *self.observer, *self.kernel})

    def facts(self) -> tuple[Fact, ...]:
        """The sets as facts."""
        named = {"environment": self.environment, "peer": self.peer, "observer": self.observer, "kernel": self.kernel}
        sets = [Fact(f"cpu.set.{name}", ",".join(str(cpu) for cpu in cpus)) for name, cpus in named.items()]
        helpers_apart = not set(self.peer) & {*self.observer, *self.kernel}
        return (*sets, Fact("cpu.sets_shared", self.shared), Fact("cpu.peer_apart", helpers_apart))


def sets_here(study: Study) -> CpuSets:
    """Choose the sets among the CPUs that this process may really use. UserError as `resolve_sets`; OSError."""
    return resolve_sets(study, sorted(Cgroup("", read_hierarchy()).cpus()))


def resolve_sets(study: Study, online: Sequence[int]) -> CpuSets:
    """Choose the sets: the study's where it names them, else by core count.

    The environment gets the last `limits.cpus` CPUs (half of them where the study does not say), the
    peer the one before, observer and kernel the first; with one or two CPUs they share what is left.
    UserError for CPUs that this device does not have.
    """
    online = sorted(online)
    given = study.cpu_sets
    wanted = study.limits.cpus or len(given.get("environment", ())) or max(1, len(online) // 2)
    environment = tuple(given.get("environment", ())) or tuple(online[-wanted:])
    if wanted > len(online) or len(environment) != wanted:
        raise UserError(
            f"limits.cpus = {wanted} does not fit this device's CPUs {online}", "lower limits.cpus in the study"
        )
    others = tuple(cpu for cpu in online if cpu not in environment) or tuple(online)
    peer = tuple(given.get("peer", ())) or others[-1:]
    first = others[:1]
    sets = CpuSets(environment, peer, tuple(given.get("observer", first)), tuple(given.get("kernel", first)))
    for name in ("environment", "peer", "observer", "kernel"):
        missing = set(getattr(sets, name)) - set(online)
        if missing:
            raise UserError(f"cpu.{name} names CPUs {sorted(missing)}, this device has {online}", "change the set")
    return sets


@contextmanager
def observing_on(cpus: Cpus) -> Iterator[None]:
    """Keep this process, with all its threads to come, on the observer's CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
