"""Every environment against the baseline, on every metric of every point: ratio, interval, verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from primetime.analysis.data import CampaignData, PointRecord
from primetime.analysis.scope import covers, scope_of
from primetime.analysis.told import outside_share
from primetime.analysis.verdicts import AdjustedP, blocks_needed, decide, unresolved_reason
from primetime.errors import UserError
from primetime.intervals import difference_p, equivalence_p, holm, log_ratio_interval, log_ratios
from primetime.model import Comparison, Interval, Metric, MetricKind, QualityWarning, Severity, Verdict

DEFAULT_MARGIN = 0.05
CPU_COST = "cpu_per_"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A comparison before its verdict, with the ln ratios of its blocks."""

    comparison: Comparison
    d: tuple[float, ...]


def compare(
    data: CampaignData, warnings: Sequence[QualityWarning], baseline: str | None = None
) -> tuple[Comparison, ...]:
    """Return all comparisons in the order of points, metrics (primary first) and environments.

    `warnings` with Severity.FORBIDS take the verdict from what they cover. UserError for an unknown baseline.
    """
    base = check_baseline(data, baseline)
    limited = [warning.scope for warning in warnings if warning.id == "device-limit"]
    candidates = [
        _promoted(_candidate(data, point, metric, (label, base)), limited)
        for point in data.points.values()
        for metric in _metrics(data, point)
        for label in data.environments
        if label != base
    ]
    warned = [_with_warnings(candidate, warnings) for candidate in candidates]
    return tuple(_judged(data, warned))


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
    """Return the margin of a metric: within it, a difference does not matter."""
    return data.study.margins.get(metric, data.study.margins.get("default", DEFAULT_MARGIN))


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


def _by_block(data: CampaignData, point: str, environment: str, metric: str) -> dict[int, tuple[float, int]]:
    """Return (value, trial) by block."""
    return {
        trial.block: (trial.values[metric], trial.trial)
        for trial in data.done(point, environment)
        if metric in trial.values
    }


def _candidate(data: CampaignData, point: PointRecord, metric: Metric, sides: tuple[str, str]) -> Candidate:
    own, base = (_by_block(data, point.name, label, metric.name) for label in sides)
    shared = sorted(own.keys() & base.keys())
    # Where nothing can be paired, each side still shows what it has.
    own_blocks, base_blocks = (shared, shared) if shared else (sorted(own), sorted(base))
    d = tuple(log_ratios(_values(own), _values(base)).values())
    comparison = Comparison(
        environment=sides[0],
        baseline=sides[1],
        workload=point.point.workload,
        point=point.name,
        metric=metric,
        primary=metric.name == point.primary,
        value=typical([own[block][0] for block in own_blocks]),
        baseline_value=typical([base[block][0] for block in base_blocks]),
        interval=_interval(d) if len(d) == len(shared) else None,
        margin=margin_of(data, metric.name),
        verdict=Verdict.NO_VERDICT,
        reason="" if metric.name == point.primary else "not a primary metric",
        blocks=len(shared),
        trials=tuple(side[block][1] for block in shared for side in (own, base)),
        warnings=(),
        outside=outside_share(data, point.name, sides[0]),
    )
    return Candidate(comparison, d)


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


def _values(by_block: Mapping[int, tuple[float, int]]) -> dict[int, float]:
    return {block: value for block, (value, _) in by_block.items()}


def _interval(d: tuple[float, ...]) -> Interval | None:
    return log_ratio_interval(d) if len(d) > 1 else None


def _with_warnings(candidate: Candidate, warnings: Sequence[QualityWarning]) -> Candidate:
    """Note the warnings that cover a comparison; one that forbids its verdict gives the reason."""
    one = candidate.comparison
    sides = (one.environment, one.baseline)
    mine = [warning for warning in warnings if covers(warning.scope, sides, one.point, one.metric.name)]
    forbidding = [warning for warning in mine if warning.severity is Severity.FORBIDS]
    reason = forbidding[0].sentence if forbidding else one.reason
    ids = tuple(dict.fromkeys(warning.id for warning in mine))
    return replace(candidate, comparison=replace(one, warnings=ids, reason=reason))


def _judged(data: CampaignData, candidates: Sequence[Candidate]) -> Iterator[Comparison]:
    """Give a verdict to every primary comparison that may have one; the family is one workload's."""
    families: dict[str, list[int]] = {}
    for index, candidate in enumerate(candidates):
        if candidate.comparison.primary and not candidate.comparison.reason:
            families.setdefault(candidate.comparison.workload, []).append(index)
    needed = blocks_needed(data.study)
    tested: dict[int, AdjustedP] = {}
    for members in families.values():
        tested.update(zip(members, _tested([candidates[index] for index in members], needed), strict=True))
    for index, candidate in enumerate(candidates):
        yield _verdict(candidate, tested[index], needed) if index in tested else candidate.comparison


def _tested(family: Sequence[Candidate], needed: int) -> list[AdjustedP]:
    """Adjust the p-values of a family. A member with too few blocks counts in it, with p = 1: families are fixed."""
    ready = [len(candidate.d) >= needed for candidate in family]
    different = [difference_p(one.d) if ok else 1.0 for one, ok in zip(family, ready, strict=True)]
    equal = [equivalence_p(one.d, one.comparison.margin) if ok else 1.0 for one, ok in zip(family, ready, strict=True)]
    return [AdjustedP(p, q, len(family)) for p, q in zip(holm(different), holm(equal), strict=True)]


def _verdict(candidate: Candidate, tested: AdjustedP, needed: int) -> Comparison:
    one = candidate.comparison
    if one.interval is None and one.blocks >= needed:
        return replace(one, reason="a value of zero or below has no ratio")
    if len(candidate.d) < needed:
        return replace(one, reason=f"{len(candidate.d)} of {needed} blocks")
    verdict = decide(tested)
    reason = unresolved_reason(candidate.d, one.margin, tested.family) if verdict is Verdict.NOT_RESOLVED else ""
    return replace(one, verdict=verdict, reason=reason)
