"""Two campaigns of one device, before and after a change (contract §8).

Each environment's figures after are set against those before, absolutely and relative to the baseline of the same
campaign. What lies between the campaigns is more than the change: another start of the host, another day. So the unit
is a *stretch*, blocks of one campaign that follow each other in one start of the host. With five stretches on each side
(five starts of the host, or campaigns that alternate) there is a verdict; otherwise boots are the unit, and the words
only suggest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from primetime.analysis.compare import margin_of, typical
from primetime.analysis.data import CampaignData
from primetime.analysis.scope import covers
from primetime.analysis.told import by_boot, settings_told
from primetime.analysis.verdicts import AdjustedP, decide
from primetime.analysis.welch import Welch, welch
from primetime.intervals import holm, log_ratios
from primetime.model import Interval, Metric, QualityWarning, Severity, TrialStatus, Verdict

STRETCHES = 5  # on each side, before a verdict is more than a suggestion
FEWEST_BOOTS = 5


@dataclass(frozen=True, slots=True)
class Side:
    """A campaign with its warnings, and the stretch that each of its blocks belongs to."""

    data: CampaignData
    warnings: tuple[QualityWarning, ...]
    stretches: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one environment at a point. `relative`: to the baseline of the same campaign, "" for itself.

    `suggests`: the units are boots, because there are too few stretches.
    """

    environment: str
    point: str
    metric: Metric
    relative: str
    before: float | None
    after: float | None
    interval: Interval | None
    margin: float
    verdict: Verdict
    reason: str
    suggests: bool
    units: tuple[int, int]


def before_and_after(
    before: tuple[CampaignData, Sequence[QualityWarning]], after: tuple[CampaignData, Sequence[QualityWarning]]
) -> tuple[Change, ...]:
    """Return every change of a primary metric that both campaigns measured with the same parameters."""
    stretches = of_blocks(before[0], after[0])
    sides = (Side(before[0], tuple(before[1]), stretches[0]), Side(after[0], tuple(after[1]), stretches[1]))
    changes = list(_changes(sides))
    return tuple(_judged(changes))


def of_blocks(before: CampaignData, after: CampaignData) -> tuple[dict[int, int], dict[int, int]]:
    """Return the stretch of every block of both: it ends when the other campaign runs or the host restarts."""
    starts = []
    for side, data in enumerate((before, after)):
        boots = by_boot(data, "host.boot_id")
        first: dict[int, tuple[str, str]] = {}
        for trial in data.trials:
            if trial.status is TrialStatus.DONE:
                first.setdefault(trial.block, (trial.started_at, str(boots.get(trial.boot or 0, ""))))
        starts += [(at, side, host, block) for block, (at, host) in first.items()]
    found: tuple[dict[int, int], dict[int, int]] = ({}, {})
    last: tuple[int, str] | None = None
    stretch = 0
    for _, side, host, block in sorted(starts):
        stretch += (side, host) != last
        last = (side, host)
        found[side][block] = stretch
    return found


def differing_facts(before: CampaignData, after: CampaignData) -> dict[str, tuple[str, str]]:
    """Return the newest facts of device and environments that are not the same: what may have made the difference."""
    first, last = settings_told(before), settings_told(after)
    apart = [key for key in first if key in last and first[key][-1] != last[key][-1]]
    return {
        f"{label}: {name}" if label else name: (first[label, name][-1], last[label, name][-1]) for label, name in apart
    }


def _changes(sides: tuple[Side, Side]) -> Iterator[tuple[Change, Welch | None]]:
    before, after = sides
    base = after.data.study.baseline
    for point, record in after.data.points.items():
        other = before.data.points.get(point)
        if other is None or other.point.params != record.point.params or other.primary != record.primary:
            continue
        for label in after.data.environments:
            if label in before.data.environments:
                yield _change(sides, (point, record.primary), label, "")
                if label != base and base in before.data.environments:
                    yield _change(sides, (point, record.primary), label, base)


def _change(sides: tuple[Side, Side], what: tuple[str, str], label: str, relative: str) -> tuple[Change, Welch | None]:
    point, metric = what
    values = [_logs(side, point, metric, label, relative) for side in sides]
    enough = all(
        len({side.stretches[block] for block in logs}) >= STRETCHES for side, logs in zip(sides, values, strict=True)
    )
    units = [_units(side, logs) if enough else list(logs.values()) for side, logs in zip(sides, values, strict=True)]
    data = sides[1].data
    reason = next(
        (reason for side in sides if (reason := _forbidden(side, (label, relative or label), point, metric))), ""
    )
    fewest = STRETCHES if enough else FEWEST_BOOTS
    if not reason and min(map(len, units)) < fewest:
        reason = f"{len(units[0])} and {len(units[1])} of {fewest} boots"
    tested = welch(*units) if min(map(len, units)) > 1 else None
    change = Change(
        environment=label,
        point=point,
        metric=data.metrics[point][metric],
        relative=relative,
        before=typical([math.exp(log) for log in values[0].values()]),
        after=typical([math.exp(log) for log in values[1].values()]),
        interval=tested.interval() if tested else None,
        margin=margin_of(data, metric),
        verdict=Verdict.NO_VERDICT,
        reason=reason,
        suggests=not enough,
        units=(len(units[0]), len(units[1])),
    )
    return change, tested


def _judged(changes: Sequence[tuple[Change, Welch | None]]) -> Iterator[Change]:
    """Decide, with Holm over all absolute changes and over all relative ones."""
    for relative in (False, True):
        family = [(one, test) for one, test in changes if bool(one.relative) == relative]
        ready = [(one, test) for one, test in family if test is not None and not one.reason]
        different = holm([test.difference_p() for _, test in ready])
        equal = holm([test.equivalence_p(one.margin) for one, test in ready])
        verdicts = {
            id(one): decide(AdjustedP(p, q, len(ready))) for (one, _), p, q in zip(ready, different, equal, strict=True)
        }
        for one, _ in family:
            yield replace(one, verdict=verdicts.get(id(one), one.verdict))


def _logs(side: Side, point: str, metric: str, label: str, relative: str) -> dict[int, float]:
    """Return ln of the figures by block, less the baseline's of the same block where they are relative."""
    own, base = (side.data.by_block(point, who, metric) for who in (label, relative))
    if relative:
        return log_ratios(own, base)
    return {block: math.log(value) for block, value in own.items() if value > 0}


def _units(side: Side, logs: Mapping[int, float]) -> list[float]:
    """Return the means of the stretches."""
    found: dict[int, list[float]] = {}
    for block, log in logs.items():
        found.setdefault(side.stretches[block], []).append(log)
    return [fmean(those) for those in found.values()]


def _forbidden(side: Side, who: tuple[str, str], point: str, metric: str) -> str:
    """Return why a campaign's own checks forbid a verdict; "" when they do not."""
    mine = (one for one in side.warnings if one.severity is Severity.FORBIDS and covers(one.scope, who, point, metric))
    return next((one.sentence for one in mine), "")
