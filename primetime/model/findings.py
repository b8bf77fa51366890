"""What it means: verdicts, comparisons, warnings and the sentences that carry them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from primetime.model.metrics import Metric


class Verdict(StrEnum):
    """The five verdicts (methodology §4)."""

    DIFFERENT = "different"
    NEGLIGIBLE = "negligible"
    COMPARABLE = "comparable"
    NOT_RESOLVED = "not resolved"
    NO_VERDICT = "no verdict"


class Severity(StrEnum):
    NOTE = "note"
    WARNING = "warning"
    FORBIDS = "forbids verdict"


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio of geometric means with its two-sided interval at `level` (0.95)."""

    ratio: float
    low: float
    high: float
    level: float
    pairs: int


@dataclass(frozen=True, slots=True)
class QualityWarning:
    """A quality problem, as data. `id` is stable; `scope` names what it spoils ("environment:qemu")."""

    id: str
    severity: Severity
    scope: str
    sentence: str
    figures: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One environment against the baseline, on one metric of one point."""

    environment: str
    baseline: str
    workload: str
    point: str
    metric: Metric
    primary: bool
    value: float | None
    baseline_value: float | None
    interval: Interval | None
    margin: float
    verdict: Verdict
    reason: str  # why there is no verdict, or what was not resolved
    blocks: int
    trials: tuple[int, ...]
    warnings: tuple[str, ...]
    outside: float | None = None  # the part of the environment's own CPU time that lies outside its limit


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence and the trials it rests on."""

    environment: str
    sentence: str
    trials: tuple[int, ...] = ()
