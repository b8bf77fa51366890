"""Workloads without a tool of their own: start and idle take the boot's figures, fake the environment's."""

from __future__ import annotations

import pytest

from primetime.errors import TrialFailed
from primetime.model import Direction, MetricKind, Point, Site, StepOutput, TrialData
from primetime.workloads import workload

SITE = Site("/data", 512, "")
SMOKE = Site("/data", 512, "", smoke=True)
BOOT = {"ready_s": 0.25, "footprint_bytes": 3e6}


def point(name: str, **given: object) -> Point:
    return Point("p", name, workload(name).check("p", given))


def test_start_runs_nothing_and_tells_the_boot() -> None:
    made = workload("start").recipe(point("start"), SITE)
    assert (made.run, made.layout, made.servers, made.hold_s) == ((), (), (), 0.0)
    ready, footprint = workload("start").parse(point("start"), TrialData((), 0.0, 0.0, boot=BOOT))
    assert (ready.metric.name, ready.metric.unit, ready.value) == ("ready", "s", 0.25)
    assert (footprint.metric.name, footprint.metric.unit, footprint.value) == ("footprint", "B", 3e6)
    assert {ready.metric.direction, footprint.metric.direction} == {Direction.LOWER}
    assert {ready.metric.kind, footprint.metric.kind} == {MetricKind.COST}
    assert workload("start").primary(point("start")) == "ready"


def test_idle_holds_the_window_open() -> None:
    assert workload("idle").recipe(point("idle", duration="30s"), SITE).hold_s == 30.0
    assert workload("idle").recipe(point("idle", duration="30s"), SMOKE).hold_s == 1.0
    assert workload("idle").recipe(point("idle"), SITE).run == ()


def test_idle_is_about_cpu_time_that_instruments_see() -> None:
    found = workload("idle").parse(point("idle"), TrialData((), 0.0, 10.0, boot=BOOT))
    assert workload("idle").primary(point("idle")) == "cpu_busy"
    assert [one.metric.name for one in found] == ["footprint"]


def test_fake_takes_the_environments_rate() -> None:
    member = workload("fake")
    step = member.recipe(point("fake"), SITE).run[0]
    output = StepOutput(step.name, step.argv, 0, b'{"rate": 700.0}', b"", 0.0, 0.0)
    (rate,) = member.parse(point("fake"), TrialData((output,), 0.0, 0.0))
    assert (rate.metric.name, rate.value) == (member.primary(point("fake")), 700.0)
    assert step.argv == ("fake-work", "p")


@pytest.mark.parametrize("stdout", [b"", b"{}", b'{"rate": "fast"}', b"[]", b'{"rate": null}'])
def test_fake_without_a_rate_fails_the_trial(stdout: bytes) -> None:
    output = StepOutput("fake.json", ("fake-work",), 0, stdout, b"", 0.0, 0.0)
    with pytest.raises(TrialFailed, match="no rate"):
        workload("fake").parse(point("fake"), TrialData((output,), 0.0, 0.0))
