"""What isolates: the settings of an environment, its limits, and what it tells instruments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from primetime.model.work import Params


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """One isolation technology with its settings, under a unique label."""

    label: str
    kind: str
    settings: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """What runs inside may use (contract §2, §3). Bytes; CPU numbers of the host."""

    cpus: int
    cpu_set: tuple[int, ...]
    memory_bytes: int
    host_cache_bytes: int


class Usable(StrEnum):
    """What a survey says of an environment."""

    YES = "usable"
    CAVEAT = "usable with a caveat"
    NO = "not usable"


@dataclass(frozen=True, slots=True)
class Usability:
    """What trying an environment on this device showed. `remedy` is the command that mends it."""

    kind: str
    state: Usable
    reason: str = ""
    remedy: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    emulated: bool = False  # the guest, or the device itself: every figure is marked and gets no verdict
    tcg: bool = False  # its guest does not run on hardware virtualisation, and is booted so in the campaign too


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run inside an environment."""

    argv: tuple[str, ...]
    timeout_s: float
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. `t0`, `t1`: host CLOCK_MONOTONIC seconds."""

    returncode: int
    stdout: bytes
    stderr: bytes
    t0: float
    t1: float


@dataclass(frozen=True, slots=True)
class Footprint:
    """What of the host belongs to an environment: how instruments see it.

    `cgroups`: names relative to each controller's root ("primetime/7"); `pids`: processes outside those
    cgroups that serve it; `kernel_threads`: host kernel threads that serve it (vhost-<pid>, …);
    `interfaces`: host network interfaces that carry its traffic; `guest_touched_bytes`: guest memory
    that was touched but is not in any process's PSS (0 where PSS covers it); `limited_threads`: where only
    some threads of the cgroups keep to the CPU limit, these are they (empty: all do).
    """

    cgroups: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()
    kernel_threads: tuple[int, ...] = ()
    interfaces: tuple[str, ...] = ()
    guest_touched_bytes: int = 0
    limited_threads: tuple[int, ...] = ()


Evidence = Mapping[str, float | str]
