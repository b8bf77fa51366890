"""A guest that beats the bare metal it stands on: where every byte must reach the device, that is no speed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from primetime.analysis.data import CampaignData, PointRecord
from primetime.analysis.quantities import digits, quantity
from primetime.analysis.scope import scope_of
from primetime.analysis.told import campaign_fact
from primetime.intervals import ALPHA, difference_p, holm, log_ratio_interval, log_ratios
from primetime.model import Direction, QualityWarning, Severity, only_writes

STORAGE = frozenset({"fio", "filebench", "files"})
CLEAR = 1.01  # one run against one run: less than that is taken for noise
FEWEST = 6  # blocks, before a gain is tested


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better an environment is than the baseline at a point, as ln of a ratio by block; above 0 is better."""

    point: str
    environment: str
    d: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times better."""
        return log_ratio_interval([*self.d, *self.d]).ratio


def baseline_beaten(data: CampaignData) -> Iterator[QualityWarning]:
    """Durable or direct work that goes faster in an environment than on its own bare metal.

    From six blocks up it must be so after Holm's adjustment over all such cells; a foreign single run must be clearly
    better. What is durable cannot be: no verdict. What is direct may come from the host's memory: a warning.
    """
    gains = list(_gains(data))
    tested = [gain for gain in gains if len(gain.d) >= FEWEST]
    adjusted = holm([difference_p(gain.d) for gain in tested])
    beaten = [gain for gain, p in zip(tested, adjusted, strict=True) if p <= ALPHA and fmean(gain.d) > 0]
    if campaign_fact(data, "foreign.tool") is not None:
        beaten += [gain for gain in gains if len(gain.d) == 1 and gain.ratio > CLEAR]
    for gain in beaten:
        durable = is_durable(data.points[gain.point])
        severity = Severity.FORBIDS if durable else Severity.WARNING
        scope = scope_of(gain.environment, gain.point)
        yield QualityWarning("baseline-beaten", severity, scope, _in_words(data, gain, durable), {"ratio": gain.ratio})


def _gains(data: CampaignData) -> Iterator[Gain]:
    base = data.study.baseline
    kind = data.environments[base].spec.kind
    for point, record in data.points.items():
        metric = data.metrics.get(point, {}).get(record.primary)
        through = is_durable(record) or record.point.params.get("direct") is True
        if record.point.workload not in STORAGE or not through or metric is None:
            continue
        for label in data.environments:
            if label == base or data.environments[label].spec.kind == kind != "foreign":
                continue  # the same bare metal with other settings may well be faster
            own, of_base = (data.by_block(point, side, record.primary) for side in (label, base))
            sign = 1 if metric.direction is Direction.HIGHER else -1
            d = tuple(sign * one for one in log_ratios(own, of_base).values())
            if d:
                yield Gain(point, label, d)


def is_durable(record: PointRecord) -> bool:
    """Whether all of a point's work must be on the device: what is read, be it beside synced writes, need not."""
    return bool(record.point.params.get("fsync")) and only_writes(record.point.params)


def _in_words(data: CampaignData, gain: Gain, durable: bool) -> str:
    base, primary = data.study.baseline, data.points[gain.point].primary
    unit = data.metrics[gain.point][primary].unit
    alone = [data.done(gain.point, side)[0].values[primary] for side in (gain.environment, base)]
    seen = (
        " against ".join(quantity(value, unit) for value in alone)
        if len(gain.d) == 1
        else f"{digits(gain.ratio)} times"
    )
    what = "writes durably" if durable else "does direct I/O"
    why = "its syncs do not reach the device" if durable else "its requests are served from the host's memory"
    return (
        f"{gain.environment} {what} faster than the bare metal it stands on in {gain.point} ({seen}): "
        f"nothing can be faster than its own device, so either {why} or {base} was not measured at its best"
    )
