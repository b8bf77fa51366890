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
class Opinion:
    """What another method than the t interval says of a comparison, as if it stood alone."""

    method: str
    interval: Interval
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class State:
    """One of the states that an environment's boots fall into: typical value and number of boots."""

    value: float
    boots: int


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
    """One environment against the baseline, on one metric of one point.

    `q`: Benjamini and Hochberg's, of an exploratory metric; `more_blocks`: expected to resolve what is not resolved;
    `states`, `baseline_states`: where boots fall into two states, both of them, instead of one number.
    """

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
    opinions: tuple[Opinion, ...] = ()
    q: float | None = None
    more_blocks: int | None = None
    states: tuple[State, ...] = ()
    baseline_states: tuple[State, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence and the trials it rests on."""

    environment: str
    sentence: str
    trials: tuple[int, ...] = ()
