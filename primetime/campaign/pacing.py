"""Rates to pace at: what the baseline does at a point is measured once, before block 1, and frozen as a fact.

Energy is fair only at equal work. A point with `rate = "50%"` is run in one boot of the baseline as fast as it goes;
half of what that gave is then kept to in every environment and every block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from primetime.campaign.boot import Boot, BootRun
from primetime.campaign.device import boot_start
from primetime.campaign.trial import Booted, Trial
from primetime.environments.base import Instance
from primetime.errors import BootFailed, CommandFailed, CommandTimeout, EnvironmentDied
from primetime.model import Fact, Point, Scalar, StepStarted, TrialStatus, Usable
from primetime.store import TrialResult
from primetime.workloads import workload
from primetime.workloads.pacing import paced, share_of, unpaced

if TYPE_CHECKING:
    from primetime.campaign.runner import Run

PACE = "pace."  # pace.POINT: to keep to; pace.POINT.baseline: what the baseline did; in the unit of the point's rate
BASELINE, UNKNOWN = ".baseline", ".unknown"
PACE_BOOT = 61000  # its name; the boots of a campaign count from 1


def paced_points(run: Run) -> dict[str, Point]:
    """Return the study's points by name with every rate a figure, measuring what is not known yet.

    A point whose rate could not be found keeps its part, and is skipped with the reason.
    """
    wanted = [point for point in run.study.points if share_of(point) is not None]
    known = {fact.name: fact.value for fact in run.campaign.facts("campaign") if fact.name.startswith(PACE)}
    missing = [point for point in wanted if not {f"{PACE}{point.name}", f"{PACE}{point.name}{UNKNOWN}"} & known.keys()]
    if missing:
        run.listener(StepStarted(f"measuring what {run.study.baseline} does, to pace {len(missing)} points by it"))
        written = run.device.written_bytes()
        facts = list(measured(run, missing))
        facts.append(Fact("flash.paced_bytes", run.device.written_bytes() - written))
        run.campaign.add_facts(facts)
        known.update({fact.name: fact.value for fact in facts})
    return {point.name: resolved(point, known) for point in run.study.points}


def resolved(point: Point, known: Mapping[str, Scalar | None]) -> Point:
    """One point, with its rate as a figure where that is known."""
    baseline = known.get(f"{PACE}{point.name}{BASELINE}")
    return paced(point, baseline) if isinstance(baseline, int | float) and share_of(point) is not None else point


def measured(run: Run, points: list[Point]) -> Iterator[Fact]:
    """Boot the baseline once and run every point in it; a fact each for rate and baseline, or for why there is none."""
    label = run.study.baseline
    usability = run.usability[label]
    reason = usability.reason if usability.state is Usable.NO else ""
    found: dict[str, TrialResult] = {}
    if not reason:
        how = boot_start(PACE_BOOT, usability.tcg, run.device.emulation())
        boot = Boot(BootRun(run.campaign, run.device, run.interruption), run.environments[label], how)
        try:
            run.device.settle()
            with run.interruption.outranking(), run.device.boot(boot.environment, how) as instance:
                found = carried_out(boot, instance, points)
        except (BootFailed, EnvironmentDied, CommandFailed, CommandTimeout) as error:
            reason = error.message
    run.interruption.check()  # what failed while a signal was obeyed says nothing of a point
    for point in points:
        yield from pace_facts(point, found.get(point.name, TrialResult(TrialStatus.FAILED, reason)))


def carried_out(boot: Boot, instance: Instance, points: list[Point]) -> dict[str, TrialResult]:
    """Run every point as fast as it goes, in an environment that is up."""
    device = boot.device
    instance.equalise()
    instance.prove_limits()
    instance.touch_memory()
    found: dict[str, TrialResult] = {}
    with ExitStack() as stack:
        free = {point.name: unpaced(point) for point in points}
        boot.provide(instance, boot.recipes(free.values()), stack)
        booted = Booted(instance, stack.enter_context(device.watch(instance.footprint())), {}, boot.how.variation)
        for name, point in free.items():
            member = workload(point.workload)
            reason = member.skip_reason(point, device.site)
            found[name] = (
                TrialResult(TrialStatus.SKIPPED, reason)
                if reason
                else Trial(device, member, point, 0).carry_out(booted)
            )
    return found


def pace_facts(point: Point, result: TrialResult) -> Iterator[Fact]:
    """What one run of the baseline gave."""
    name, primary = f"{PACE}{point.name}", workload(point.workload).primary(point)
    rates = [one.value for one in result.measurements if one.metric.name == primary]
    if result.status is not TrialStatus.DONE or not rates:
        yield Fact(f"{name}{UNKNOWN}", f"not measured: {result.reason or 'the baseline gave no rate'}")
        return
    yield Fact(f"{name}{BASELINE}", rates[0])
    yield Fact(name, paced(point, rates[0]).params["rate"])
