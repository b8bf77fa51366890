"""What a campaign's meters say of its trials and idles: read from the series, in the order of boots.

Several meters are kept apart; the first of the study is the one that energy figures are from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from primetime.analysis.data import CampaignData, TrialRecord
from primetime.analysis.energy import Clock, Energy, Meter, Sample, net_energy, on_host_clock, phase_energy
from primetime.intervals import interpolated
from primetime.model import Direction, Metric, MetricKind, TrialStatus
from primetime.store import CampaignFile
from primetime.store.query import figure
from primetime.store.trouble import decoding

ENERGY = Metric("energy", "J", Direction.LOWER, MetricKind.COST)
NET = Metric("energy_net", "J", Direction.LOWER, MetricKind.COST)
POWER = Metric("power", "W", Direction.LOWER, MetricKind.COST)
WORK = {"B/s": "B/J", "bit/s": "bit/J", "1/s": "1/J"}  # what is done per second → per joule
PER_JOULE = "work_per_joule"
IDLES = {"idle-host": "bare host", "idle-environment": "environment, idle"}
SERIES = "SELECT t, value FROM series_points WHERE boot = ? AND instrument = ? AND channel = ? ORDER BY t"


@dataclass(frozen=True, slots=True)
class Metered:
    """One trial on a meter: its energy or the reason for none, busy CPUs of the host, energy above the bare host."""

    trial: int
    boot: int
    environment: str
    point: str
    energy: Energy | str
    busy: float | None = None
    net_j: float | None = None


@dataclass(frozen=True, slots=True)
class Idle:
    """One idle phase of a boot."""

    boot: int
    environment: str
    phase: str
    energy: Energy | str
    busy: float | None


@dataclass(frozen=True, slots=True)
class Power:
    """All that the study's first meter says. `clocks` by boot; empty where there is no meter."""

    meter: Meter | None = None
    clocks: Mapping[int, Clock] = field(default_factory=dict)
    trials: tuple[Metered, ...] = ()
    idles: tuple[Idle, ...] = ()

    def energies(self, point: str, environment: str) -> list[Energy]:
        """The energies of a cell, in the order of boots."""
        mine = [one.energy for one in self.trials if (one.point, one.environment) == (point, environment)]
        return [energy for energy in mine if isinstance(energy, Energy)]


def read_power(file: CampaignFile, data: CampaignData) -> Power:
    """Return what the first meter of a campaign gave; nothing for a campaign without meters."""
    facts = {fact.name: fact.value for fact in data.facts if fact.scope == "campaign"}
    meter = next((made for spec in data.study.power.meters if (made := meter_of(spec.name, facts))), None)
    if meter is None:
        return Power()
    said = facts_of_boots(data)
    clocks = {boot.boot: clock for boot in data.boots if (clock := clock_of(said.get(boot.boot, {}), meter.name))}
    done: dict[int | None, list[TrialRecord]] = {}
    for trial in data.trials:
        if trial.status is TrialStatus.DONE:
            done.setdefault(trial.boot, []).append(trial)
    trials: list[Metered] = []
    idles: list[Idle] = []
    for boot in data.boots:
        reader = BootReader(file, meter, boot.boot, clocks.get(boot.boot), str(facts[f"power.{meter.name}.channel"]))
        host = reader.idle(boot.environment)
        idles += host
        bare = next((one.energy for one in host if one.phase == "idle-host"), "")
        trials += [reader.trial(trial, bare) for trial in done.get(boot.boot, ())]
    return Power(meter, clocks, tuple(trials), tuple(idles))


def meter_of(name: str, facts: Mapping[str, object]) -> Meter | None:
    """A meter as the campaign's facts describe it; None for one that could not even be made."""
    keys = ("unit", "resolution", "hz", "accuracy")
    found = [facts.get(f"power.{name}.{key}") for key in keys]
    if any(one is None for one in found):
        return None
    unit, *numbers = map(str, found)
    resolution, hz, accuracy = map(float, numbers)
    return Meter(name, unit, resolution, hz, accuracy, str(facts.get(f"power.{name}", "")))


def facts_of_boots(data: CampaignData) -> dict[int, dict[str, object]]:
    """The facts of every boot by name, the newest of each."""
    found: dict[int, dict[str, object]] = {}
    for fact in data.facts:
        if fact.scope == "boot":
            found.setdefault(int(fact.scope_id), {})[fact.name] = fact.value
    return found


def clock_of(mine: Mapping[str, object], name: str) -> Clock | None:
    """A meter's clock by the facts of one boot; None where it did not follow the load pulses."""
    keys = ("offset_at", "offset_s", "drift_ppm", "lag_s", "lag_error_s", "residual_s")
    values = [mine.get(f"power.{name}.{key}") for key in keys]
    if not all(isinstance(value, int | float) for value in values):
        return None
    at, offset, drift, lag, lag_error, residual = (float(str(value)) for value in values)
    return Clock(at, offset, drift / 1e6, lag, lag_error, residual)


class BootReader:
    """The series of one boot, cut by its phases."""

    def __init__(self, file: CampaignFile, meter: Meter, boot: int, clock: Clock | None, channel: str) -> None:
        self.meter = meter
        self.boot = boot
        self.clock = clock
        self.phases = file.rows("SELECT trial, phase, t0, t1 FROM phases WHERE boot = ?", boot)
        samples = samples_of(file, boot, f"power.{meter.name}", channel)
        self.samples = on_host_clock(samples, clock) if clock else samples
        self.load = samples_of(file, boot, "load", "busy")

    def energy(self, t0: float, t1: float) -> Energy | str:
        """A stretch's energy, or why there is none."""
        if not self.samples:
            return "the meter gave nothing in this boot"
        if self.clock is None:
            return "the meter did not follow this boot's load pulses, so its clock is unknown"
        return phase_energy(self.samples, self.meter, self.clock, (t0, t1))

    def busy(self, t0: float, t1: float) -> float | None:
        """Busy CPUs of the whole host over a stretch."""
        if len(self.load) < 2 or t1 <= t0:
            return None
        return (interpolated(self.load, t1) - interpolated(self.load, t0)) / (t1 - t0)

    def idle(self, environment: str) -> list[Idle]:
        """Both idles of the boot."""
        return [
            Idle(
                self.boot, environment, row["phase"], self.energy(row["t0"], row["t1"]), self.busy(row["t0"], row["t1"])
            )
            for row in self.phases
            if row["phase"] in IDLES
        ]

    def trial(self, trial: TrialRecord, bare: Energy | str) -> Metered:
        """A trial's energy: of its window and, where it writes, of the drain behind it."""
        mine = [row for row in self.phases if row["trial"] == trial.trial and row["phase"] in ("run", "drain")]
        found: Energy | str = "its window is not known"
        busy = None
        if mine:
            t0, t1 = min(row["t0"] for row in mine), max(row["t1"] for row in mine)
            found, busy = self.energy(t0, t1), self.busy(t0, t1)
        net = net_energy(found, bare) if isinstance(found, Energy) and isinstance(bare, Energy) else None
        return Metered(trial.trial, self.boot, trial.environment, trial.point, found, busy, net)


def samples_of(file: CampaignFile, boot: int, instrument: str, channel: str) -> list[Sample]:
    """Return a channel's samples in a boot, in the order of time."""
    rows = file.rows(SERIES, boot, instrument, channel)
    with decoding(file.path):
        return [(figure(row["t"]), figure(row["value"])) for row in rows]


def with_energy(data: CampaignData, power: Power) -> CampaignData:
    """Return the campaign with energy figures beside every trial's own, to be compared like them."""
    by_trial = {one.trial: one for one in power.trials if isinstance(one.energy, Energy)}
    if not by_trial:
        return data
    metrics = {point: dict(known) for point, known in data.metrics.items()}
    trials = []
    for trial in data.trials:
        one = by_trial.get(trial.trial)
        figures = energy_figures(data, trial, one) if one else {}
        for metric in figures:
            metrics.setdefault(trial.point, {})[metric.name] = metric
        trials.append(replace(trial, values={**trial.values, **{m.name: value for m, value in figures.items()}}))
    return replace(data, trials=tuple(trials), metrics=metrics)


def energy_figures(data: CampaignData, trial: TrialRecord, one: Metered) -> dict[Metric, float]:
    """One trial's figures: gross energy, power, net where it is above the noise, work per joule of the same trial."""
    if not isinstance(one.energy, Energy):
        return {}
    found = {ENERGY: one.energy.joules, POWER: one.energy.watts}
    if one.net_j is not None:
        found[NET] = one.net_j
    primary = data.metrics.get(trial.point, {}).get(data.points[trial.point].primary)
    rate = trial.values.get(primary.name) if primary else None
    if primary and rate is not None and primary.unit in WORK and one.energy.joules > 0:
        work = rate * trial.values.get("tool_duration", trial.duration_s or one.energy.seconds)
        found[Metric(PER_JOULE, WORK[primary.unit], Direction.HIGHER, MetricKind.RATE)] = work / one.energy.joules
    return found
