"""Fixed-rate points: energy and CPU are fair only where all environments did the same work."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.quantities import quantity
from primetime.analysis.scope import scope_of
from primetime.analysis.told import campaign_fact, means
from primetime.model import QualityWarning, Severity

SHORT = 0.98  # of the rate: tools pace a little below what they are told
RATES = {"fio": "rate", "iperf3": "throughput", "fake": "rate"}  # the metric that a workload's `rate` is about


def pace_missed(data: CampaignData) -> Iterator[QualityWarning]:
    """Environments that did not keep to a point's rate: they did less work than the others."""
    for name, record in data.points.items():
        metric = RATES.get(record.point.workload, "")
        given = record.point.params.get("rate", 0)
        pace = campaign_fact(data, f"pace.{name}") if isinstance(given, str) else given
        if not metric or not isinstance(pace, int | float) or pace <= 0:
            continue
        for label in data.environments:
            rate = means(data, name, label).get(metric)
            if rate is not None and rate < SHORT * pace:
                unit = data.metrics[name][metric].unit
                sentence = (
                    f"{label} did {quantity(rate, unit)} in {name} instead of {quantity(pace, unit)}: "
                    f"its energy and CPU there are of less work"
                )
                figures = {"rate": rate, "pace": float(pace)}
                yield QualityWarning("pace-missed", Severity.WARNING, scope_of(label, name), sentence, figures)
