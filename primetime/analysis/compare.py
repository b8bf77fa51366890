"""Every environment against the baseline, on every metric of every point: ratio, interval, verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from primetime.analysis.data import CampaignData, PointRecord
from primetime.analysis.judging import Candidate, judged
from primetime.analysis.scope import covers, scope_of
from primetime.analysis.states import two_states
from primetime.analysis.told import campaign_fact, outside_share
from primetime.errors import UserError
from primetime.intervals import difference_p, log_ratio_interval, log_ratios
from primetime.model import Comparison, Interval, Metric, MetricKind, QualityWarning, Severity, State, Verdict

DEFAULT_MARGIN = 0.05
CPU_COST = "cpu_per_"


def compare(
    data: CampaignData, warnings: Sequence[QualityWarning], baseline: str | None = None
) -> tuple[Comparison, ...]:
    """Return all comparisons in the order of points, metrics (primary first) and environments.

    `warnings` with Severity.FORBIDS take the verdict from what they cover. UserError for an unknown baseline.
    """
    base = check_baseline(data, baseline)
    limited = [warning.scope for warning in warnings if warning.id == "device-limit"]
    candidates = [
        _promoted(candidate, limited)
        for point in data.points.values()
        for metric in _metrics(data, point)
        for candidate in _candidates(data, point, metric, base)
    ]
    states = two_states(data)
    by_scope = _by_scope(warnings)
    ready = [_with_states(_with_warnings(candidate, by_scope), states) for candidate in candidates]
    return tuple(judged(data, ready))


def check_baseline(data: CampaignData, baseline: str | None) -> str:
    """Return the baseline to use: the study's, or another environment of the campaign. UserError if unknown."""
    label = baseline or data.study.baseline
    if label not in data.environments:
        known = ", ".join(data.environments)
        raise UserError(
            f"{data.path.name} has no environment {label!r} to be the baseline", f"--baseline one of: {known}"
        )
    return label


def margin_of(data: CampaignData, metric: str) -> float:
    """Return the margin of a metric: within it, a difference does not matter.

    Margins of the device's class come first: those under words that its model holds.
    """
    model = str(campaign_fact(data, "board.model") or data.campaign["device"]).lower()
    classes = [own for words, own in data.study.class_margins.items() if words.lower() in model]
    for margins in (*classes, data.study.margins):
        if metric in margins:
            return margins[metric]
    defaults = (*classes, data.study.margins, {"default": DEFAULT_MARGIN})
    return next(margins["default"] for margins in defaults if "default" in margins)


def typical(values: Sequence[float]) -> float | None:
    """Return the geometric mean, whose quotients are the ratios; the arithmetic mean where a value is not positive."""
    if not values:
        return None
    if min(values) <= 0:
        return fmean(values)
    return math.exp(fmean(map(math.log, values)))


def _metrics(data: CampaignData, point: PointRecord) -> list[Metric]:
    known = [metric for metric in data.metrics.get(point.name, {}).values() if metric.kind is not MetricKind.RATIO]
    return sorted(known, key=lambda metric: (metric.name != point.primary, metric.name))


def _candidates(data: CampaignData, point: PointRecord, metric: Metric, base: str) -> Iterator[Candidate]:
    """Yield every environment against the baseline, whose figures are looked up once."""
    of_base = data.by_block(point.name, base, metric.name)
    for label in data.environments:
        if label != base:
            own = data.by_block(point.name, label, metric.name)
            yield _candidate(data, point, metric, {label: own, base: of_base})


def _candidate(
    data: CampaignData, point: PointRecord, metric: Metric, figures: Mapping[str, Mapping[int, float]]
) -> Candidate:
    """Compare one environment, the first in `figures` (by environment and block), with the second."""
    sides = tuple(figures)
    own, base = figures.values()
    shared = sorted(own.keys() & base.keys())
    # Where nothing can be paired, each side still shows what it has.
    own_blocks, base_blocks = (shared, shared) if shared else (sorted(own), sorted(base))
    d = tuple(log_ratios(own, base).values())
    trials = [data.trial_of_block(point.name, label) for label in sides]
    comparison = Comparison(
        environment=sides[0],
        baseline=sides[1],
        workload=point.point.workload,
        point=point.name,
        metric=metric,
        primary=metric.name == point.primary,
        value=typical([own[block] for block in own_blocks]),
        baseline_value=typical([base[block] for block in base_blocks]),
        interval=_interval(d) if len(d) == len(shared) else None,
        margin=margin_of(data, metric.name),
        verdict=Verdict.NO_VERDICT,
        reason="" if metric.name == point.primary else "not a primary metric",
        blocks=len(shared),
        trials=tuple(side[block] for block in shared for side in trials),
        warnings=(),
        outside=outside_share(data, point.name, sides[0]),
    )
    # Only what verdicts are about keeps its blocks: a large campaign has thousands of other metrics.
    about = comparison.primary or metric.name.startswith(CPU_COST)
    return Candidate(comparison, d if about else (), difference_p(d) if len(d) > 1 else None)


def _promoted(candidate: Candidate, limited: Sequence[str]) -> Candidate:
    """Where both reach the device's limit, the CPU per unit of work is what verdicts are about (contract §7)."""
    one = candidate.comparison
    about = scope_terms(one.environment, one.point)
    if one.metric.name.startswith(CPU_COST) and any(about <= set(scope.split(",")) for scope in limited):
        return replace(candidate, comparison=replace(one, primary=True, reason=""))
    return candidate


def scope_terms(environment: str, point: str) -> set[str]:
    """The terms of a scope that is about one environment in one point."""
    return set(scope_of(environment, point).split(","))


def _interval(d: tuple[float, ...]) -> Interval | None:
    return log_ratio_interval(d) if len(d) > 1 else None


def _by_scope(warnings: Sequence[QualityWarning]) -> dict[str, list[tuple[int, QualityWarning]]]:
    """Return warnings by scope, each id once, with their place: a large campaign has thousands of equal ones."""
    found: dict[str, dict[str, tuple[int, QualityWarning]]] = {}
    for place, warning in enumerate(warnings):
        found.setdefault(warning.scope, {}).setdefault(warning.id, (place, warning))
    return {scope: list(those.values()) for scope, those in found.items()}


def _with_warnings(candidate: Candidate, by_scope: Mapping[str, list[tuple[int, QualityWarning]]]) -> Candidate:
    """Note the warnings that cover a comparison; one that forbids its verdict gives the reason."""
    one = candidate.comparison
    sides = (one.environment, one.baseline)
    placed = [
        those
        for scope, warnings in by_scope.items()
        if covers(scope, sides, one.point, one.metric.name)
        for those in warnings
    ]
    mine = [warning for _, warning in sorted(placed, key=lambda those: those[0])]
    forbidding = [warning for warning in mine if warning.severity is Severity.FORBIDS]
    reason = forbidding[0].sentence if forbidding else one.reason
    ids = tuple(dict.fromkeys(warning.id for warning in mine))
    return replace(candidate, comparison=replace(one, warnings=ids, reason=reason))


def _with_states(candidate: Candidate, states: Mapping[tuple[str, str], tuple[State, State]]) -> Candidate:
    """Where boots fall into two states on either side, show both and take the one number away."""
    one = candidate.comparison
    own, base = (states.get((one.point, label), ()) for label in (one.environment, one.baseline))
    if not one.primary or not (own or base):
        return candidate
    return replace(candidate, comparison=replace(one, interval=None, states=own, baseline_states=base))
