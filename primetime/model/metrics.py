"""What a figure is: its unit, which direction is better, and how it may be averaged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


class MetricKind(StrEnum):
    """How values may be summarised (Hoefler & Belli 2015, rules 3 and 4)."""

    RATE = "rate"  # work per time: total work / total time
    COST = "cost"  # time, joules, bytes: arithmetic mean
    RATIO = "ratio"  # dimensionless: never averaged, only paired


@dataclass(frozen=True, slots=True)
class Metric:
    """A named quantity. `unit` is an SI-style symbol: "B/s", "1/s", "s", "B", "bit/s", "CPU s/GB"."""

    name: str
    unit: str
    direction: Direction
    kind: MetricKind


METERED = frozenset({"energy", "energy_net", "power", "work_per_joule"})  # made of a meter's series, after the trials


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of one metric, from one trial."""

    metric: Metric
    value: float
