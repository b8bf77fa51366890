"""The life of a trial (contract §5): prepare → flush → warm → arm → run → drain → disarm → parse.

Nothing is parsed and nothing is written to the campaign file inside the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from primetime.campaign.device import Device
from primetime.campaign.evidence import TrialEvidence
from primetime.campaign.peer_service import busy_between
from primetime.campaign.variation import Variation
from primetime.campaign.window import (
    AFTER,
    AT_END,
    Window,
    after_ramp,
    check_clock,
    check_duration,
    guest_memory,
    memory_at_end,
)
from primetime.environments.base import Instance
from primetime.errors import CommandFailed, CommandTimeout, TrialFailed
from primetime.instruments.base import cost
from primetime.instruments.bill import close_bill
from primetime.instruments.sampler import Edge, Sampler
from primetime.model import (
    Command,
    Direction,
    Fact,
    Measurement,
    Metric,
    MetricKind,
    Outcome,
    Phase,
    Point,
    Recipe,
    Step,
    StepOutput,
    TrialData,
    TrialStatus,
    Where,
)
from primetime.store import TrialResult
from primetime.workloads.base import Workload

COST = {"B/s": ("cpu_per_gb", "CPU s/GB", 1e9), "bit/s": ("cpu_per_gbit", "CPU s/Gbit", 1e9),
        "1/s": ("cpu_per_million", "CPU s/million", 1e6)}  # fmt: skip
PEER_BUSY = Metric("peer_busy", "1", Direction.LOWER, MetricKind.RATIO)  # of a far peer's CPUs
GUEST_CLEAN_BYTES = 1024 * 1024
GUEST_CLEAN_POLLS = 20
KILLED = -9


@dataclass(frozen=True, slots=True)
class Booted:
    """What the trials of one boot share. `figures`: ready_s, footprint_bytes, … (contract §9)."""

    instance: Instance
    sampler: Sampler
    figures: Mapping[str, float]
    variation: Variation = field(default_factory=Variation)


class Trial:
    """One point measured in one boot."""

    def __init__(self, device: Device, workload: Workload, point: Point, trial_id: int) -> None:
        self.device = device
        self.workload = workload
        self.point = point
        self.trial_id = trial_id
        self.phases: list[Phase] = []
        self.before: tuple[Measurement, ...] = ()
        self.outputs: list[StepOutput] = []  # what the tools said so far, also when one of them failed
        self.extra: dict[str, str] = {}  # environment variables beside the program's own
        self.evidence: tuple[Fact, ...] = ()  # of the isolation layer's own counters, at the end

    def carry_out(self, booted: Booted) -> TrialResult:
        """Measure. Raises EnvironmentDied and Interrupted; everything else becomes a failed trial."""
        site = replace(self.device.site, local_port=booted.variation.local_port(self.trial_id))
        self.extra = booted.variation.environment()
        recipe = self.workload.recipe(self.point, site)
        try:
            self.timed("prepare", lambda: self.prepare(booted.instance, recipe))
            watched = TrialEvidence(booted.instance)
            window = self.window(booted, recipe)
            self.evidence, records = watched.gained(self.trial_id)
            data = TrialData(window.outputs, window.t0, window.t1, window.drain_s, booted.figures)
            parsed = self.workload.parse(self.point, data)
            check_duration(parsed, window)
        except (TrialFailed, CommandFailed, CommandTimeout) as error:
            return TrialResult(TrialStatus.FAILED, error.message, raw=raw_outputs(self.outputs))
        primary = self.workload.primary(self.point)
        measured = (*parsed, *window.measured, *cpu_cost(parsed, window, primary))
        seconds = window.t1 - window.t0
        return TrialResult(TrialStatus.DONE, "", seconds, measured, {**raw_outputs(self.outputs), **records})

    def timed(self, name: str, act: Callable[[], None]) -> None:
        """Do one part of the trial and note it as a phase."""
        t0 = self.device.now()
        act()
        self.phases.append(Phase(name, t0, self.device.now(), self.trial_id))

    def prepare(self, instance: Instance, recipe: Recipe) -> None:
        """Empty every cache, wait until nothing is dirty, then have the tool's binary in memory."""
        instance.sync()
        instance.drop_caches()
        host = self.device.flush()
        for _ in range(GUEST_CLEAN_POLLS):
            if instance.dirty_bytes() <= GUEST_CLEAN_BYTES:
                break
            instance.sync()
        guest = instance.dirty_bytes()
        for step in recipe.warm:
            self.step(instance, step)
        self.outputs.clear()  # what only warms up is kept when it fails
        self.before = (cost("host_dirty_before", "B", float(host)), cost("dirty_guest_before", "B", float(guest)))

    def window(self, booted: Booted, recipe: Recipe) -> Window:
        """Arm, run, drain, disarm."""
        sampler, instance = booted.sampler, booted.instance
        offset, peer = instance.clock_offset(), self.device.peer_use()
        edges = [sampler.edge()]
        t0 = self.device.now()
        with after_ramp(recipe.ramp_s, lambda: edges.append(sampler.edge())):
            for step in recipe.run:
                self.step(instance, step)
            sampler.hold(recipe.hold_s)
        t1 = self.device.now()
        at_end, drain_s = self.drain(booted, edges[-1]) if recipe.writes else ((), 0.0)
        measured = sampler.measurements(edges[-1], sampler.edge())
        after, busy = instance.clock_offset(), busy_between(peer, self.device.peer_use())
        if offset is not None and after is not None:
            check_clock(offset, after, self.device.now() - t0)
        self.phases.append(Phase("run", t0, t1, self.trial_id))
        beside = [*self.before, *at_end, *guest_memory(instance, AFTER), *close_bill(measured)]
        beside += [Measurement(PEER_BUSY, busy)] if busy is not None else []
        return Window(tuple(self.outputs), t0, t1, drain_s, recipe.ramp_s, (*measured, *beside))

    def drain(self, booted: Booted, first: Edge) -> tuple[tuple[Measurement, ...], float]:
        """Write what is still in memory, guest then host; return how much that was, and the seconds it took."""
        last = booted.sampler.edge()
        guest = guest_memory(booted.instance, AT_END)
        t0 = self.device.now()
        booted.instance.sync()
        self.device.sync()
        t1 = self.device.now()
        self.phases.append(Phase("drain", t0, t1, self.trial_id))
        return (*memory_at_end(booted.sampler.measurements(first, last)), *guest), t1 - t0

    def step(self, instance: Instance, step: Step) -> None:
        """Run one step on its side and keep its output. TrialFailed when the program's exit code is not 0."""
        t0 = self.device.now()
        try:
            if step.where is Where.PEER:
                outcome = self.device.run_on_peer(step)
            else:
                outcome = instance.run(Command(step.argv, step.timeout_s, step.stdin, self.extra))
        except CommandTimeout as late:
            self.keep(step, Outcome(KILLED, late.stdout, late.stderr, t0, self.device.now()))
            raise
        self.keep(step, outcome)
        if outcome.returncode != 0:
            complaint = self.workload.complaint(outcome.stdout, outcome.stderr)
            said = f": {complaint}" if complaint else ""
            raise TrialFailed(f"{step.argv[0]} ended with exit code {outcome.returncode}{said}")

    def keep(self, step: Step, outcome: Outcome) -> None:
        """Remember what a program gave."""
        code, stdout, stderr = outcome.returncode, outcome.stdout, outcome.stderr
        self.outputs.append(StepOutput(step.name, step.argv, code, stdout, stderr, outcome.t0, outcome.t1))


def raw_outputs(outputs: Iterable[StepOutput]) -> dict[str, bytes]:
    """Everything that the tools said, by name."""
    said = {output.name: output.stdout for output in outputs}
    said.update({f"{output.name}.stderr": output.stderr for output in outputs if output.stderr})
    return said


def cpu_cost(parsed: tuple[Measurement, ...], window: Window, primary: str) -> tuple[Measurement, ...]:
    """CPU time of the whole host per unit of work, for points whose primary metric is a rate.

    Work is the tool's own rate times the tool's own duration; CPU is that of the whole window, with the
    tool's start and, for writes, the drain: the work is not done before it (contract §5).
    """
    values = {one.metric.name: one.value for one in (*parsed, *window.measured)}
    unit = next((one.metric.unit for one in parsed if one.metric.name == primary), "")
    if unit not in COST or "cpu_busy" not in values or values[primary] <= 0:
        return ()
    name, cost_unit, scale = COST[unit]
    work = values[primary] * values.get("tool_duration", window.t1 - window.t0) / scale
    metric = Metric(name, cost_unit, Direction.LOWER, MetricKind.COST)
    return (Measurement(metric, values["cpu_busy"] / work),)
