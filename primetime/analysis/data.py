"""A campaign as plain data: read once, then nothing of analysis touches the file again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean

from primetime.model import (
    BootStatus,
    Direction,
    EnvironmentSpec,
    Fact,
    Metric,
    MetricKind,
    Point,
    Role,
    Study,
    TrialStatus,
    Usable,
)
from primetime.store import CampaignFile
from primetime.store.query import figure
from primetime.store.trouble import decoding


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """An environment and what the survey said of it."""

    spec: EnvironmentSpec
    printed_name: str
    usable: Usable
    reason: str
    remedy: str
    emulated: bool
    versions: Mapping[str, str]

    @property
    def label(self) -> str:
        return self.spec.label


@dataclass(frozen=True, slots=True)
class PointRecord:
    """A point and the one metric that verdicts are about."""

    point: Point
    primary: str

    @property
    def name(self) -> str:
        return self.point.name


@dataclass(frozen=True, slots=True)
class BootRecord:
    """One boot. `t0`, `t1`: host CLOCK_MONOTONIC seconds; `t1` is None when primetime was killed in it."""

    boot: int
    block: int
    environment: str
    role: Role
    status: BootStatus
    reason: str
    t0: float
    t1: float | None
    group: int = 0  # the point group that it measured


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial with its figures by metric name. `slot` and `ord`, its place there, are its cell."""

    trial: int
    boot: int | None
    slot: int
    block: int
    environment: str
    role: Role
    point: str
    status: TrialStatus
    reason: str
    started_at: str
    duration_s: float | None
    values: Mapping[str, float]
    ord: int = 0


Cell = tuple[str, str, Role]  # point, environment, and in which of its slots


@dataclass(frozen=True)
class CampaignData:
    """All of a campaign but its series and raw output."""

    path: Path
    campaign: Mapping[str, str | int]  # the view `campaign`
    study: Study
    environments: Mapping[str, EnvironmentRecord]
    points: Mapping[str, PointRecord]
    boots: tuple[BootRecord, ...]
    trials: tuple[TrialRecord, ...]
    metrics: Mapping[str, Mapping[str, Metric]]  # point → metric name → metric
    facts: tuple[Fact, ...]
    ruled_out: Mapping[int, str] = field(default_factory=dict)  # trial → the rule written before that leaves it out
    over_control: frozenset[str] = frozenset()  # the points whose own packets go over the control interface
    chosen_baseline: str = ""  # by who reads; "": the study's

    @property
    def baseline(self) -> str:
        """The environment that the others are compared with."""
        return self.chosen_baseline or self.study.baseline

    def done(self, point: str, environment: str, role: Role = Role.MAIN) -> tuple[TrialRecord, ...]:
        """Return what the boots of an environment's slots gave at a point, in block order, one per boot.

        Iterations inside one boot are no replicates: their arithmetic mean is the boot's figure (for rates over
        windows of equal length, that is total work over total time).
        """
        return self._boots.get((point, environment, role), ())

    def by_block(self, point: str, environment: str, metric: str, role: Role = Role.MAIN) -> dict[int, float]:
        """Return the boots' figures of one metric by block, in block order."""
        done = self.done(point, environment, role)
        return {boot.block: boot.values[metric] for boot in done if metric in boot.values}

    def trial_of_block(self, point: str, environment: str) -> dict[int, int]:
        """Return the trial of every block of a cell (of several iterations, the first)."""
        cell = (point, environment)
        if cell not in self._trial_of_block:
            self._trial_of_block[cell] = {boot.block: boot.trial for boot in self.done(*cell)}
        return self._trial_of_block[cell]

    @cached_property
    def _trial_of_block(self) -> dict[tuple[str, str], dict[int, int]]:
        return {}

    def iterations(self, point: str, environment: str) -> tuple[tuple[TrialRecord, ...], ...]:
        """Return the finished trials of the main slots themselves, by boot, in block order."""
        return self._iterations.get((point, environment, Role.MAIN), ())

    def of_cell(self, point: str, environment: str) -> tuple[TrialRecord, ...]:
        """Return every trial of a point in an environment, whatever became of it, in the order of planning."""
        return self._cells.get((point, environment), ())

    def means(self, point: str, environment: str) -> dict[str, float]:
        """Return the arithmetic mean of every metric over the boots of a cell; worked out once, many checks ask."""
        cell = (point, environment)
        if cell not in self._means:
            values: dict[str, list[float]] = {}
            for boot in self.done(*cell):
                for name, value in boot.values.items():
                    values.setdefault(name, []).append(value)
            self._means[cell] = {name: fmean(found) for name, found in values.items()}
        return self._means[cell]

    @cached_property
    def _means(self) -> dict[tuple[str, str], dict[str, float]]:
        return {}

    def facts_of(self, scope: str, name: str) -> tuple[Fact, ...]:
        """Return the facts of this scope and name, in the order they came."""
        return self._facts.get((scope, name), ())

    @cached_property
    def _facts(self) -> dict[tuple[str, str], tuple[Fact, ...]]:
        found: dict[tuple[str, str], list[Fact]] = {}
        for fact in self.facts:
            found.setdefault((fact.scope, fact.name), []).append(fact)
        return {key: tuple(facts) for key, facts in found.items()}

    @cached_property
    def _cells(self) -> dict[tuple[str, str], tuple[TrialRecord, ...]]:
        found: dict[tuple[str, str], list[TrialRecord]] = {}
        for trial in self.trials:
            found.setdefault((trial.point, trial.environment), []).append(trial)
        return {cell: tuple(trials) for cell, trials in found.items()}

    @cached_property
    def _iterations(self) -> dict[Cell, tuple[tuple[TrialRecord, ...], ...]]:
        found: dict[Cell, dict[int, list[TrialRecord]]] = {}
        for trial in self.trials:
            if trial.status is TrialStatus.DONE and trial.trial not in self.ruled_out:
                cell = (trial.point, trial.environment, trial.role)
                found.setdefault(cell, {}).setdefault(trial.block, []).append(trial)
        return {cell: tuple(tuple(blocks[block]) for block in sorted(blocks)) for cell, blocks in found.items()}

    @cached_property
    def _boots(self) -> dict[Cell, tuple[TrialRecord, ...]]:
        return {cell: tuple(map(_of_boot, boots)) for cell, boots in self._iterations.items()}


def _of_boot(trials: tuple[TrialRecord, ...]) -> TrialRecord:
    """Return one record for the iterations of a boot: the first one's, with the mean of every figure."""
    if len(trials) == 1:
        return trials[0]
    values: dict[str, list[float]] = {}
    for trial in trials:
        for name, value in trial.values.items():
            values.setdefault(name, []).append(value)
    return replace(trials[0], values={name: fmean(found) for name, found in values.items()})


def load(path: Path) -> CampaignData:
    """Read a campaign file, opened read-only. UserError when it cannot be read, or holds what nobody could mean."""
    with CampaignFile.open(path, write=False) as file, decoding(path):
        metrics, values = _measurements(file)
        environments = [_environment(row) for row in file.environments()]
        points = [_point(row) for row in file.points()]
        return CampaignData(
            path=path,
            campaign=file.campaign(),
            study=file.study(),
            environments={record.label: record for record in environments},
            points={record.name: record for record in points},
            boots=tuple(_boot(row) for row in file.boots()),
            trials=tuple(_trial(row, values.get(row["trial"], {})) for row in file.trials()),
            metrics=metrics,
            facts=tuple(file.facts()),
            ruled_out=file.ruled_out(),
            over_control=file.points_over_control(),
        )


Values = dict[int, dict[str, float]]
MEASURED = """
    SELECT trial, point, metric, value, unit, direction, kind FROM measurements JOIN trials USING (trial)
    ORDER BY trial, metric"""


def _measurements(file: CampaignFile) -> tuple[dict[str, dict[str, Metric]], Values]:
    metrics: dict[str, dict[str, Metric]] = {}
    values: Values = {}
    # Millions of rows in a large campaign: one by one, and a metric's words are kept once.
    for trial, point, name, value, unit, direction, kind in file.found(MEASURED).rows:
        known = metrics.setdefault(point, {})
        metric = known.get(name)
        if metric is None:
            metric = known[name] = Metric(name, unit, Direction(direction), MetricKind(kind))
        values.setdefault(trial, {})[metric.name] = figure(value)
    return metrics, values


def _environment(row: sqlite3.Row) -> EnvironmentRecord:
    return EnvironmentRecord(
        spec=EnvironmentSpec(row["environment"], row["kind"], json.loads(row["settings"])),
        printed_name=row["printed_name"],
        usable=Usable(row["usable"]),
        reason=row["reason"],
        remedy=row["remedy"],
        emulated=bool(row["emulated"]),
        versions=json.loads(row["versions"]),
    )


def _point(row: sqlite3.Row) -> PointRecord:
    params = dict(json.loads(row["params"]).items())
    point = Point(row["point"], row["workload"], params, row["point_group"])
    return PointRecord(point, row["primary_metric"])


def _boot(row: sqlite3.Row) -> BootRecord:
    return BootRecord(
        boot=row["boot"],
        block=row["block"],
        environment=row["environment"],
        role=Role(row["role"]),
        status=BootStatus(row["status"]),
        reason=row["reason"],
        t0=figure(row["t0"]),
        t1=None if row["t1"] is None else figure(row["t1"]),
        group=row["point_group"],
    )


def _trial(row: sqlite3.Row, values: Mapping[str, float]) -> TrialRecord:
    return TrialRecord(
        trial=row["trial"],
        boot=row["boot"],
        slot=row["slot"],
        block=row["block"],
        environment=row["environment"],
        role=Role(row["role"]),
        point=row["point"],
        status=TrialStatus(row["status"]),
        reason=row["reason"],
        started_at=row["started_at"] or "",
        duration_s=None if row["duration_s"] is None else figure(row["duration_s"]),
        values=values,
        ord=row["ord"],
    )
