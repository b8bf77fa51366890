"""A guest that beats the bare metal it stands on: where every byte must reach the device, that is no speed."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.quantities import digits, quantity
from primetime.analysis.scope import scope_of
from primetime.intervals import log_ratio_interval, log_ratios
from primetime.model import Direction, QualityWarning, Severity

STORAGE = frozenset({"fio", "filebench", "files"})
CLEAR = 1.01  # one run against one run: less than that is taken for noise


def baseline_beaten(data: CampaignData) -> Iterator[QualityWarning]:
    """Durable or direct work that goes faster in an environment than on its own bare metal.

    With several blocks the whole 95 % interval must lie above 1; of one run each, the quotient must be clearly above.
    """
    base = data.study.baseline
    kind = data.environments[base].spec.kind
    for point, record in data.points.items():
        durable = bool(record.point.params.get("fsync"))
        metric = data.metrics.get(point, {}).get(record.primary)
        through = durable or record.point.params.get("direct") is True
        if record.point.workload not in STORAGE or not through or metric is None:
            continue
        for label in data.environments:
            if label == base or data.environments[label].spec.kind == kind != "foreign":
                continue  # the same bare metal with other settings may well be faster
            ratio = gain(data, point, (label, base), record.primary, metric.direction)
            if ratio is None:
                continue
            sides = [
                quantity(t.values[record.primary], metric.unit)
                for side in (label, base)
                for t in data.done(point, side)[:1]
            ]
            seen = f"{sides[0]} against {sides[1]}" if len(data.done(point, label)) == 1 else f"{digits(ratio)} times"
            what = "writes durably" if durable else "does direct I/O"
            why = "its syncs do not reach the device" if durable else "its requests are served from the host's memory"
            sentence = (
                f"{label} {what} faster than the bare metal it stands on in {point} ({seen}): "
                f"nothing can be faster than its own device, so either {why} or {base} was not measured at its best"
            )
            yield QualityWarning(
                "baseline-beaten", Severity.FORBIDS, scope_of(label, point), sentence, {"ratio": ratio}
            )


def gain(data: CampaignData, point: str, sides: tuple[str, str], metric: str, direction: Direction) -> float | None:
    """Return how many times better the first side is than the second, when that is clear; None when it is not."""
    own, base = ({t.block: t.values[metric] for t in data.done(point, side) if metric in t.values} for side in sides)
    found = log_ratios(own, base)
    d = [one if direction is Direction.HIGHER else -one for one in found.values()]
    if len(d) > 1:
        interval = log_ratio_interval(d)
        return interval.ratio if interval.low > 1.0 else None
    alone = log_ratio_interval([*d, *d]).ratio if d else 0.0
    return alone if alone > CLEAR else None
