"""The table of a point, as data: terminal and HTML print the same one."""

from __future__ import annotations

from dataclasses import dataclass

from primetime.analysis.compare import typical
from primetime.analysis.findings import worse
from primetime.analysis.judging import METHOD_DEPENDENT
from primetime.analysis.quantities import (
    NOTHING,
    SPACE,
    digits,
    plain_ratio,
    quantity,
    ratio_in_words,
    states_in_words,
)
from primetime.analysis.result import Analysis
from primetime.analysis.told import outside_share
from primetime.model import Comparison, Direction, Metric, Verdict

COST_PREFIX = "cpu_per_"
SPLIT = frozenset(f"cpu_{kind}" for kind in ("user", "system", "irq", "softirq", "guest"))
OUTSIDE = "outside"  # the column: CPU time outside the limit, as part of the environment's own
MEAN = "geometric mean of the boots, in blocks that both sides finished"


@dataclass(frozen=True, slots=True)
class Row:
    """One environment in one point, in words. `comparison` is None for the baseline itself."""

    environment: str
    printed_name: str
    value: str
    baseline_value: str
    ratio: str
    cost: str
    outside: str
    blocks: str
    verdict: str
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class PointTable:
    """A point's primary metric, environment by environment, the baseline first. `cost_unit` may be ""."""

    point: str
    workload: str
    metric: Metric
    baseline: str
    cost_unit: str
    rows: tuple[Row, ...]

    def heading(self) -> str:
        """Return the point with its metric and which way is better."""
        return f"{self.point}: {metric_name(self.metric)} ({better(self.metric)})"


def point_tables(analysis: Analysis) -> tuple[PointTable, ...]:
    """Return a table for every point that has figures."""
    primary: dict[str, list[Comparison]] = {}
    for one in analysis.comparisons:
        if one.metric.name == analysis.data.points[one.point].primary:
            primary.setdefault(one.point, []).append(one)
    return tuple(_table(analysis, point, compared) for point, compared in primary.items())


def metric_name(metric: Metric) -> str:
    """Return a metric's name in words; the kinds of CPU time are said to be what they are, a sampled split."""
    words = metric.name.removesuffix("_s").replace("_", " ")
    return f"{words} (sampled split)" if metric.name in SPLIT else words


def better(metric: Metric) -> str:
    """Return which way is better, in words."""
    return "higher is better" if metric.direction is Direction.HIGHER else "lower is better"


def verdict_in_words(one: Comparison, quick: bool) -> str:
    """Return the verdict as a table says it; a quick campaign only suggests."""
    words = one.verdict.value
    if one.verdict is Verdict.DIFFERENT and one.interval is not None:
        words = f"{words}, {'worse' if worse(one, one.interval.ratio) else 'better'}"
    speaks = one.verdict in (Verdict.DIFFERENT, Verdict.NEGLIGIBLE, Verdict.COMPARABLE)
    said = f"suggests {words}" if quick and speaks else words
    return f"{said} ({METHOD_DEPENDENT})" if METHOD_DEPENDENT in one.warnings else said


def ratio_cell(one: Comparison) -> str:
    """Return ratio and interval; the bare quotient where there is no interval, nothing where there are two states."""
    if one.states or one.baseline_states:
        return NOTHING
    return ratio_in_words(one.interval) if one.interval else plain_ratio(one.value, one.baseline_value)


def share(part: float | None) -> str:
    """Return a part of a whole in words: "12 %"; NOTHING where it was not measured."""
    return NOTHING if part is None else f"{digits(part * 100, 2)}{SPACE}%"


def _table(analysis: Analysis, point: str, compared: list[Comparison]) -> PointTable:
    costs = {
        one.environment: one
        for one in analysis.comparisons
        if one.point == point and one.metric.name.startswith(COST_PREFIX)
    }
    cost = next(iter(costs.values()), None)
    rows = [_row(analysis, one, costs.get(one.environment)) for one in compared]
    metric = compared[0].metric
    return PointTable(
        point=point,
        workload=compared[0].workload,
        metric=metric,
        baseline=analysis.baseline,
        cost_unit=cost.metric.unit if cost else "",
        rows=(_baseline_row(analysis, point, metric, cost), *rows),
    )


def _row(analysis: Analysis, one: Comparison, cost: Comparison | None) -> Row:
    return Row(
        environment=one.environment,
        printed_name=analysis.data.environments[one.environment].printed_name,
        value=states_in_words(one.states, one.metric.unit) or quantity(one.value, one.metric.unit),
        baseline_value=states_in_words(one.baseline_states, one.metric.unit)
        or quantity(one.baseline_value, one.metric.unit),
        ratio=ratio_cell(one),
        cost=quantity(cost.value if cost else None, ""),
        outside=share(one.outside),
        blocks=str(one.blocks),
        verdict=verdict_in_words(one, analysis.data.study.quick),
        comparison=one,
    )


def _baseline_row(analysis: Analysis, point: str, metric: Metric, cost: Comparison | None) -> Row:
    done = analysis.data.done(point, analysis.baseline)
    values = [trial.values[metric.name] for trial in done if metric.name in trial.values]
    costs = [trial.values[cost.metric.name] for trial in done if cost and cost.metric.name in trial.values]
    return Row(
        environment=analysis.baseline,
        printed_name=analysis.data.environments[analysis.baseline].printed_name,
        value=quantity(typical(values), metric.unit),
        baseline_value="",
        ratio="",
        cost=quantity(typical(costs), ""),
        outside=share(outside_share(analysis.data, point, analysis.baseline)),
        blocks=str(len(values)),
        verdict="baseline" if values else NOTHING,
        comparison=None,
    )
