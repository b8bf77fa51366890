"""Medians and tails of the boots' figures, with exact intervals or the words "too few for an interval"."""

from __future__ import annotations

from dataclasses import dataclass

from primetime.analysis.data import CampaignData
from primetime.intervals import LEAST, QuantileInterval, quantile_interval
from primetime.model import Metric

LATENCY = "latency_"


@dataclass(frozen=True, slots=True)
class Distribution:
    """The quantiles of one metric over the boots of an environment at a point: one value per boot, never requests."""

    environment: str
    point: str
    metric: Metric
    quantiles: tuple[QuantileInterval, ...]


def distributions(data: CampaignData) -> tuple[Distribution, ...]:
    """Return those of every point's primary metric and of its latencies, by point, metric and environment."""
    found = []
    for point, record in data.points.items():
        for name, metric in sorted(data.metrics.get(point, {}).items()):
            if name != record.primary and not name.startswith(LATENCY):
                continue
            for label in data.environments:
                values = [trial.values[name] for trial in data.done(point, label) if name in trial.values]
                if values:
                    quantiles = tuple(quantile_interval(values, p) for p in LEAST)
                    found.append(Distribution(label, point, metric, quantiles))
    return tuple(found)
