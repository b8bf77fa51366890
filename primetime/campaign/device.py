"""The machine under test as the runner sees it: it boots environments, flushes, waits and watches.

`LinuxDevice` (linux_device.py) is the real one; `FakeDevice` (fake_device.py) has a known cost, so that
order, resume, statistics and reports are tested without root.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from primetime.campaign.peer_service import PeerUse
from primetime.campaign.variation import Variation
from primetime.environments.base import BOOT_LIMIT_S, Environment, Instance
from primetime.host.facts import boot_id, machine_emulation
from primetime.host.load import load_every_cpu
from primetime.instruments.sampler import Sampler
from primetime.model import Fact, FileToPut, Footprint, Outcome, PowerSpec, Site, Step

EMULATED_BOOT_LIMIT_S = 360.0  # under the KVM of an emulated device, on a loaded host


@dataclass(frozen=True, slots=True)
class BootStart:
    """How to boot. `number`, unique in the campaign, gives names and addresses; times in seconds.

    `first_sign_s`: how long to wait for a guest kernel's first output; `variation`: what must not matter.
    """

    number: int
    emulated: bool = False
    first_sign_s: float = BOOT_LIMIT_S
    limit_s: float = BOOT_LIMIT_S
    variation: Variation = field(default_factory=Variation)


def boot_start(number: int, tcg: bool, emulation: str) -> BootStart:
    """How a boot of a campaign is done. `emulation`: what the device itself is emulated as, "" for a real one."""
    limit_s = EMULATED_BOOT_LIMIT_S if emulation else BOOT_LIMIT_S
    return BootStart(number, tcg, first_sign_s=limit_s, limit_s=limit_s)


class Device(ABC):
    """What a boot and a trial ask of the machine."""

    site: Site
    power = PowerSpec()
    booked_bytes = 0  # of `written_bytes`: what was there before the campaign, or stands in the campaign file

    @abstractmethod
    def facts(self) -> tuple[Fact, ...]:
        """Return what is true of the machine, the volume and the settings in force."""

    @abstractmethod
    def calibrate(self) -> tuple[Fact, ...]:
        """Precondition the storage and measure the device's own limits: once per campaign, before block 1."""

    @abstractmethod
    def written_bytes(self) -> int:
        """Return what the disk under the volume has written since the host started; 0 where it does not count."""

    @abstractmethod
    def settle(self) -> tuple[Fact, ...]:
        """Wait until the device is cool and quiet, or the pace's limits are over; say what was reached."""

    @abstractmethod
    def boot(self, environment: Environment, how: BootStart) -> AbstractContextManager[Instance]:
        """Boot on a fresh volume; leaving the block ends it and verifies that nothing is left.

        Raises BootFailed, UndoFailed.
        """

    @abstractmethod
    def flush(self) -> int:
        """Write the host's dirty pages, drop its caches and wait until nothing is dirty; return what still is, in B."""

    @abstractmethod
    def sync(self) -> None:
        """Write the host's dirty pages."""

    @abstractmethod
    def rest_after_write(self) -> None:
        """Leave flash the study's idle time after a point that wrote (contract §6)."""

    @abstractmethod
    def watch(self, footprint: Footprint) -> AbstractContextManager[Sampler]:
        """Sample the instruments as long as the block lasts."""

    @abstractmethod
    def footprint_bytes(self, footprint: Footprint) -> int:
        """Return the host memory that a footprint takes, in bytes (contract §9)."""

    @abstractmethod
    def memory_kills(self, footprint: Footprint) -> int:
        """Return how many processes of a footprint the kernel killed because its memory limit was reached."""

    @abstractmethod
    def run_on_peer(self, step: Step) -> Outcome:
        """Run a step's program on the peer."""

    @abstractmethod
    def put_on_peer(self, file: FileToPut) -> None:
        """Write a file on the peer; nothing where the peer is the user's own machine."""

    @abstractmethod
    def serve_on_peer(self, step: Step) -> AbstractContextManager[None]:
        """Keep a step's program running on the peer as long as the block lasts."""

    @abstractmethod
    def environment_cpus(self) -> frozenset[int]:
        """Return the CPUs that the environment and what serves it may use."""

    def wear_facts(self) -> tuple[Fact, ...]:
        """Return what the tested storage says of itself and its wear: taken before and after (contract §6)."""
        return ()

    def peer_use(self) -> PeerUse | None:
        """Return the CPU time that a far peer has used; None where it says nothing, or is none."""
        return None

    def hops(self, footprint: Footprint) -> tuple[Fact, ...]:  # noqa: ARG002 - a fake has no network
        """Return facts of the host's interfaces between an environment and the peer (contract §4)."""
        return ()

    def full_load(self, seconds: float) -> None:
        """Keep every CPU of the host busy."""
        load_every_cpu(seconds)

    def boot_id(self) -> str:
        """Return what tells one start of the host from the next."""
        return boot_id()

    def emulation(self) -> str:
        """Return what this machine itself is emulated as; "" for a real one."""
        return machine_emulation()

    def now(self) -> float:
        """Return host CLOCK_MONOTONIC, in seconds."""
        return time.monotonic()
