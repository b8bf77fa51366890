"""A device without a machine: fake environments, no waiting, every act noted in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from primetime.campaign.device import BootStart, Device
from primetime.environments.base import Environment, Instance
from primetime.environments.fake import FakeEnvironment
from primetime.instruments.sampler import Sampler
from primetime.model import Fact, FileToPut, Footprint, Outcome, Site, Step


class FakeDevice(Device):
    """`acts` is what happened, in order: the proof of the life of a boot and a trial."""

    def __init__(self) -> None:
        self.acts: list[str] = []
        self.written = 0  # grows by `wear` with every boot
        self.wear = 0
        self.boots_of_host = 1
        self.killed = 0  # processes of environments, for want of memory
        self.site = Site(data_dir="/data", logical_block=512, peer="198.18.1.2")

    def facts(self) -> tuple[Fact, ...]:
        return (Fact("device.fake", True),)

    def calibrate(self) -> tuple[Fact, ...]:
        return (Fact("device.limit.unknown", "a fake has none"),)

    def written_bytes(self) -> int:
        return self.written

    def settle(self) -> tuple[Fact, ...]:
        self.acts.append("settle")
        return ()

    @contextmanager
    def boot(self, environment: Environment, how: BootStart) -> Iterator[Instance]:
        if not isinstance(environment, FakeEnvironment):
            raise TypeError(f"a fake device boots fake environments, not {environment.kind}")
        self.acts.append(f"boot {environment.spec.label}")
        self.written += self.wear
        instance = environment.start(f"b{how.number}")
        try:
            yield instance
        finally:
            self.acts.append(f"end {environment.spec.label}")

    def flush(self) -> int:
        self.acts.append("flush")
        return 0

    def sync(self) -> None:
        self.acts.append("sync")

    def rest_after_write(self) -> None:
        self.acts.append("rest")

    @contextmanager
    def watch(self, footprint: Footprint) -> Iterator[Sampler]:
        with Sampler((), footprint) as sampler:
            yield sampler

    def footprint_bytes(self, footprint: Footprint) -> int:  # noqa: ARG002 - a fake takes no memory
        return 0

    def memory_kills(self, footprint: Footprint) -> int:  # noqa: ARG002 - a fake's footprint is empty
        return self.killed

    def boot_id(self) -> str:
        return f"start {self.boots_of_host}"

    def environment_cpus(self) -> frozenset[int]:
        return frozenset()

    def run_on_peer(self, step: Step) -> Outcome:
        self.acts.append(f"peer {step.argv[0]}")
        now = time.monotonic()
        return Outcome(0, b"", b"", now, now)

    def put_on_peer(self, file: FileToPut) -> None:
        self.acts.append(f"put {file.path}")

    @contextmanager
    def serve_on_peer(self, step: Step) -> Iterator[None]:
        self.acts.append(f"serve {step.argv[0]}")
        yield
        self.acts.append(f"unserve {step.argv[0]}")
