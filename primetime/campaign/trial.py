"""The life of a trial (contract §5): prepare → flush → warm → arm → run → drain → disarm → parse.

Nothing is parsed and nothing is written to the campaign file inside the window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from primetime.campaign.device import Device
from primetime.campaign.evidence import TrialEvidence
from primetime.environments.base import Instance
from primetime.errors import CommandFailed, CommandTimeout, TrialFailed
from primetime.instruments.base import cost
from primetime.instruments.bill import close_bill
from primetime.instruments.sampler import Sampler
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
GUEST_CLEAN_BYTES = 1024 * 1024
CLOCK_ERROR = 0.005  # contract §4: a guest whose seconds are not ours gives no figures
GUEST_CLEAN_POLLS = 20


@dataclass(frozen=True, slots=True)
class Booted:
    """What the trials of one boot share. `figures`: ready_s, footprint_bytes, … (contract §9)."""

    instance: Instance
    sampler: Sampler
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between arming and disarming."""

    outputs: tuple[StepOutput, ...]
    t0: float
    t1: float
    drain_s: float
    measured: tuple[Measurement, ...]


class Trial:
    """One point measured in one boot."""

    def __init__(self, device: Device, workload: Workload, point: Point, trial_id: int) -> None:
        self.device = device
        self.workload = workload
        self.point = point
        self.trial_id = trial_id
        self.phases: list[Phase] = []
        self.evidence: tuple[Fact, ...] = ()  # of the isolation layer's own counters, at the end

    def carry_out(self, booted: Booted) -> TrialResult:
        """Measure. Raises EnvironmentDied and Interrupted; everything else becomes a failed trial."""
        recipe = self.workload.recipe(self.point, self.device.site)
        window: Window | None = None
        try:
            self.timed("prepare", lambda: self.prepare(booted.instance, recipe))
            watched = TrialEvidence(booted.instance)
            window = self.window(booted, recipe)
            self.evidence, records = watched.gained(self.trial_id)
            data = TrialData(window.outputs, window.t0, window.t1, window.drain_s, booted.figures)
            parsed = self.workload.parse(self.point, data)
        except (TrialFailed, CommandFailed, CommandTimeout) as error:
            raw = raw_outputs(window.outputs) if window else {}
            return TrialResult(TrialStatus.FAILED, error.message, raw=raw)
        primary = self.workload.primary(self.point)
        measured = (*parsed, *window.measured, *cpu_cost(parsed, window, primary))
        seconds = window.t1 - window.t0
        return TrialResult(TrialStatus.DONE, "", seconds, measured, {**raw_outputs(window.outputs), **records})

    def timed(self, name: str, act: Callable[[], None]) -> None:
        """Do one part of the trial and note it as a phase."""
        t0 = self.device.now()
        act()
        self.phases.append(Phase(name, t0, self.device.now(), self.trial_id))

    def prepare(self, instance: Instance, recipe: Recipe) -> None:
        """Empty every cache, wait until nothing is dirty, then have the tool's binary in memory."""
        instance.sync()
        instance.drop_caches()
        self.device.flush()
        for _ in range(GUEST_CLEAN_POLLS):
            if instance.dirty_bytes() <= GUEST_CLEAN_BYTES:
                break
            instance.sync()
        for step in recipe.warm:
            self.step(instance, step)

    def window(self, booted: Booted, recipe: Recipe) -> Window:
        """Arm, run, drain, disarm."""
        offset = booted.instance.clock_offset()
        before = booted.sampler.edge()
        t0 = self.device.now()
        outputs = tuple(self.step(booted.instance, step) for step in recipe.run)
        booted.sampler.hold(recipe.hold_s)
        t1 = self.device.now()
        if recipe.writes:
            booted.instance.sync()
            self.device.sync()
        t2 = self.device.now()
        after = booted.sampler.edge()
        guest = guest_memory(booted.instance)
        if offset is not None:
            check_clock(offset, booted.instance.clock_offset(), self.device.now() - t0)
        self.phases.append(Phase("run", t0, t1, self.trial_id))
        if recipe.writes:
            self.phases.append(Phase("drain", t1, t2, self.trial_id))
        measured = (*booted.sampler.measurements(before, after), *guest)
        drain_s = t2 - t1 if recipe.writes else 0.0
        return Window(outputs, t0, t1, drain_s, (*measured, *close_bill(measured)))

    def step(self, instance: Instance, step: Step) -> StepOutput:
        """Run one step on its side. TrialFailed when the program's exit code is not 0."""
        if step.where is Where.PEER:
            outcome: Outcome = self.device.run_on_peer(step)
        else:
            outcome = instance.run(Command(step.argv, step.timeout_s, step.stdin))
        if outcome.returncode != 0:
            complaint = self.workload.complaint(outcome.stdout, outcome.stderr)
            said = f": {complaint}" if complaint else ""
            raise TrialFailed(f"{step.argv[0]} ended with exit code {outcome.returncode}{said}")
        return StepOutput(
            step.name, step.argv, outcome.returncode, outcome.stdout, outcome.stderr, outcome.t0, outcome.t1
        )


def guest_memory(instance: Instance) -> tuple[Measurement, ...]:
    """The guest's page cache and dirty bytes after a window (contract §2); nothing without a guest kernel."""
    cached = instance.cached_bytes()
    if not cached:
        return ()
    return (
        cost("page_cache_guest_after", "B", float(cached)),
        cost("dirty_guest_after", "B", float(instance.dirty_bytes())),
    )


def check_clock(before: float, after: float | None, seconds: float) -> None:
    """TrialFailed when the guest's clock ran at another rate than the host's over these host seconds."""
    error = abs((before if after is None else after) - before) / seconds
    if error > CLOCK_ERROR:
        raise TrialFailed(f"the guest's clock ran {error * 100:.2f} % off the host's, more than 0.5 %")


def raw_outputs(outputs: tuple[StepOutput, ...]) -> dict[str, bytes]:
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
