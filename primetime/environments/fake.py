"""An environment with a known cost, for tests of order, resume, statistics and reports.

    [environments.slow]
    kind = "fake"
    factor = 0.7        # its rates are 0.7 × those of factor 1
    noise = 0.01        # log-normal, from a seed of label, boot and argv: the same everywhere
    fail_boots = 0      # so many first boots do not come up
    fail_at = 0         # this many-th run of the fake workload in each boot ends with exit code 1 (0: none)
    die_after = 0       # each boot dies at this many-th run of the fake workload (0: never)

Its `run` answers the argv of the fake workload with JSON; anything else succeeds with no output.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from primetime.environments.base import Attachment, BootContext, Environment, Instance, Setting, Storage
from primetime.errors import BootFailed, EnvironmentDied
from primetime.model import Command, EnvironmentSpec, Evidence, Fact, Footprint, Outcome, Usability, Usable

RATE = 1000.0  # of factor 1, in units per second
PROGRAM = "fake-work"


class FakeInstance(Instance):
    """Answers at once. `runs` keeps every argv in order."""

    def __init__(self, environment: FakeEnvironment, name: str) -> None:
        self.environment = environment
        self.name = name
        self.runs: list[tuple[str, ...]] = []
        self.recorded = 0
        self.started_at = self.ready_at = time.monotonic()

    def run(self, command: Command) -> Outcome:
        self.runs.append(command.argv)
        works = sum(argv[0] == PROGRAM for argv in self.runs)
        if command.argv[0] == PROGRAM and works == int(self.environment.values["die_after"]):
            raise EnvironmentDied("it was told to die", b"fake console")
        now = time.monotonic()
        if command.argv[0] == PROGRAM and works == int(self.environment.values["fail_at"]):
            return Outcome(1, b'{"rate": ', b"it was told to fail", now, now)
        answer = b""
        if command.argv[0] == PROGRAM:
            chance = random.Random(f"{self.environment.spec.label} {self.name} {command.argv}")
            spread = chance.lognormvariate(0.0, float(self.environment.values["noise"]))
            answer = json.dumps({"rate": RATE * float(self.environment.values["factor"]) * spread}).encode()
        return Outcome(0, answer, b"", now, now)

    def footprint(self) -> Footprint:
        return Footprint()

    def evidence(self) -> Evidence:
        return {"runs": float(len(self.runs)), "word": "fake"}

    def records(self) -> Mapping[str, bytes]:
        lines = [" ".join(argv) for argv in self.runs[self.recorded :]]
        self.recorded = len(self.runs)
        return {"fake.log": "\n".join(lines).encode()}

    def prove_limits(self) -> tuple[Fact, ...]:
        return (Fact("limits.fake", True),)


class FakeEnvironment(Environment):
    """See the module."""

    kind = "fake"
    summary = "a known cost, for tests"
    storage = Storage.DIRECTORY
    attachment = Attachment.HOST
    settings = (
        Setting("factor", 1.0, (), "its rates, relative to factor 1"),
        Setting("noise", 0.0, (), "standard deviation of the logarithm of a rate"),
        Setting("fail_boots", 0, (), "so many first boots do not come up"),
        Setting("fail_at", 0, (), "this many-th run in each boot ends with exit code 1 (0: none)"),
        Setting("die_after", 0, (), "each boot dies at this many-th run (0: never)"),
    )

    def __init__(self, spec: EnvironmentSpec) -> None:
        super().__init__(spec)
        self.boots = 0

    def bypasses_host_cache(self) -> bool:
        return True

    def missing(self) -> Usability | None:
        return None

    def usable(self) -> Usability:
        return Usability(self.kind, Usable.YES)

    @contextmanager
    def boot(self, context: BootContext) -> Iterator[Instance]:
        yield self.start(context.name)

    def start(self, name: str) -> FakeInstance:
        """Start without a context: what a fake device calls."""
        self.boots += 1
        if self.boots <= int(self.values["fail_boots"]):
            raise BootFailed("fake start", "it was told to fail", b"fake console")
        return FakeInstance(self, name)
