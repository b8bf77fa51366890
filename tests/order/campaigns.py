"""Campaigns on a fake device: what the tests of order share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from primetime.campaign.device import BootStart
from primetime.campaign.fake_device import FakeDevice
from primetime.campaign.runner import Run, Runner
from primetime.campaign.signals import interruptible
from primetime.campaign.visits import Visits
from primetime.environments import environment
from primetime.environments.base import Environment, Instance
from primetime.errors import CommandTimeout, Interrupted
from primetime.model import (
    CampaignState,
    EnvironmentSpec,
    Event,
    LimitSpec,
    Pace,
    Point,
    Scalar,
    Stopping,
    Study,
    Usability,
    Usable,
    VolumeSpec,
)
from primetime.store import CampaignFile
from primetime.workloads import workload

BLOCKS = 3
Settings = Mapping[str, Scalar]


def made_study(settings: Mapping[str, Settings], points: int = 2) -> Study:
    member = workload("fake")
    names = [f"work-{number}" for number in range(points)]
    return Study(
        name="made",
        title="made for a test",
        quick=True,
        baseline="native",
        environments=tuple(EnvironmentSpec(label, "fake", given) for label, given in settings.items()),
        points=tuple(Point(name, "fake", member.check(name, {})) for name in names),
        limits=LimitSpec(1, 2**28, "guest", 0),
        volume=VolumeSpec("image", "/nowhere", 2**26),
        stopping=Stopping(BLOCKS, BLOCKS, 0.05, 3600.0),
        pace=Pace(0.0, 0.0, 0.0, 0.0),
        peer="",
        margins={"default": 0.05},
    )


class HungDevice(FakeDevice):
    """A device that is told to stop in one of its flushes, and on which undoing hangs. `at_end`: that of the boot."""

    def __init__(self, at_flush: int, at_end: bool) -> None:
        super().__init__()
        self.at_flush = at_flush
        self.at_end = at_end
        self.hung = False

    def flush(self) -> int:
        dirty = super().flush()
        if not self.hung and self.acts.count("flush") == self.at_flush:
            self.hung = True
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except Interrupted:
                if self.at_end:
                    raise
                raise CommandTimeout(("sync",), 300.0) from None
        return dirty

    @contextmanager
    def boot(self, environment: Environment, how: BootStart) -> Iterator[Instance]:
        with super().boot(environment, how) as instance:
            try:
                yield instance
            except Interrupted:
                if self.at_end:
                    raise CommandTimeout(("runc", "kill"), 10.0) from None
                raise


class Campaign:
    """A campaign on a fake device, run as far as it goes. `primary`: the study's choice, "" for the workload's own."""

    def __init__(self, path: Path, study: Study, primary: str = "") -> None:
        self.study = study
        self.device: FakeDevice = FakeDevice()
        self.members = {spec.label: environment(spec) for spec in study.environments}
        self.events: list[Event] = []
        self.visits: Visits | None = None
        self.file = CampaignFile.create(path, study, 7, "fake")
        self.file.add_points((point, primary or workload("fake").primary(point)) for point in study.points)
        for label, member in self.members.items():
            self.file.add_environment(member.spec, label, Usability("fake", Usable.YES))

    def run(self, usability: Mapping[str, Usability] | None = None, resumed: bool = False) -> CampaignState:
        found = {label: Usability("fake", Usable.YES) for label in self.members} | dict(usability or {})
        with interruptible() as interruption:
            told = self.events.append
            run = Run(self.file, self.study, self.device, self.members, found, told, self.visits, interruption)
            return Runner(run).carry_out(resumed)

    def done(self) -> list[tuple[object, ...]]:
        rows = self.file.rows("SELECT block, environment, point FROM trials WHERE status = 'done' ORDER BY trial")
        return [tuple(row) for row in rows]
