"""One study on several devices: the device is a level, and a sentence about devices in general needs five of them.

Each device gives one number per environment and point, the mean of its ln ratios; its own interval stays beside it.
The interval over devices is a t interval of those numbers: boards differ more than boots, so boots are never pooled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from primetime.analysis.compare import margin_of
from primetime.analysis.result import Analysis
from primetime.analysis.verdicts import AdjustedP, decide
from primetime.intervals import difference_p, equivalence_p, holm, log_ratio_interval, log_ratios
from primetime.model import Comparison, Interval, Metric, Severity, Verdict

FEWEST_DEVICES = 5


@dataclass(frozen=True, slots=True)
class OnDevice:
    """What one device says. `interval` is its own, over blocks; `reason`: why it does not count, "" when it does."""

    device: str
    interval: Interval | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class AcrossDevices:
    """One environment at one point on several devices. `interval` is over devices, None below five of them."""

    environment: str
    baseline: str
    point: str
    metric: Metric
    devices: tuple[OnDevice, ...]
    interval: Interval | None
    margin: float
    verdict: Verdict
    reason: str


def device_of(analysis: Analysis) -> str:
    """Return the name of a campaign's device."""
    return str(analysis.data.campaign["device"])


def across_devices(analyses: Sequence[Analysis]) -> tuple[AcrossDevices, ...]:
    """Return every primary comparison that at least two devices have; campaigns of one device count as one."""
    cells: dict[tuple[str, str, str], list[tuple[Analysis, Comparison]]] = {}
    for analysis in analyses:
        for one in analysis.comparisons:
            if one.primary and one.value is not None:  # at its own limit a device has two of them in a point
                cells.setdefault((one.environment, one.point, one.metric.name), []).append((analysis, one))
    found = [_gathered(those) for those in cells.values()]
    several = [(one, d) for one, d in found if len(one.devices) > 1]
    ready = [(one, d) for one, d in several if len(d) >= FEWEST_DEVICES]
    different = holm([difference_p(d) for _, d in ready])
    equal = holm([equivalence_p(d, one.margin) for one, d in ready])
    judged = {
        (one.environment, one.point, one.metric.name): decide(AdjustedP(p, q, len(ready)))
        for (one, _), p, q in zip(ready, different, equal, strict=True)
    }
    return tuple(_with_verdict(one, d, judged.get((one.environment, one.point, one.metric.name))) for one, d in several)


def _gathered(those: Sequence[tuple[Analysis, Comparison]]) -> tuple[AcrossDevices, list[float]]:
    """Return a cell with its devices, and the mean ln ratio of each that counts."""
    logs: dict[str, list[float]] = {}
    devices: dict[str, OnDevice] = {}
    for analysis, one in those:
        name = device_of(analysis)
        forbidden = {warning.id for warning in analysis.warnings if warning.severity is Severity.FORBIDS}
        reason = one.reason if forbidden & set(one.warnings) else ""
        own, base = (
            analysis.data.by_block(one.point, label, one.metric.name) for label in (one.environment, one.baseline)
        )
        d = list(log_ratios(own, base).values())
        devices[name] = OnDevice(name, one.interval, one.verdict, reason)
        if d and not reason:
            logs.setdefault(name, []).extend(d)
    analysis, one = those[0]
    gathered = AcrossDevices(
        environment=one.environment,
        baseline=one.baseline,
        point=one.point,
        metric=one.metric,
        devices=tuple(devices.values()),
        interval=None,
        margin=margin_of(analysis.data, one.metric.name),
        verdict=Verdict.NO_VERDICT,
        reason="",
    )
    return gathered, [fmean(d) for d in logs.values()]


def _with_verdict(one: AcrossDevices, d: Sequence[float], verdict: Verdict | None) -> AcrossDevices:
    interval = log_ratio_interval(d) if len(d) >= FEWEST_DEVICES else None
    reason = "" if verdict else f"{len(d)} of the {FEWEST_DEVICES} devices that a general sentence needs"
    return AcrossDevices(
        one.environment, one.baseline, one.point, one.metric, one.devices, interval, one.margin,
        verdict or Verdict.NO_VERDICT, reason,
    )  # fmt: skip
