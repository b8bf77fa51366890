"""What the campaign file takes and gives beside the nouns of `model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from primetime.model import Measurement, Slot, TrialStatus


@dataclass(frozen=True, slots=True)
class OpenSlot:
    """A slot with work left. `attempts`: boots that filled it so far, those that we interrupted not counted;
    `remaining_points`: (trial id, point name) in the block's order."""

    slot_id: int
    slot: Slot
    attempts: int
    remaining_points: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class TrialResult:
    """How a trial ended. `duration_s`: of its window, host CLOCK_MONOTONIC; `raw`: tool output by name."""

    status: TrialStatus
    reason: str = ""
    duration_s: float | None = None
    measurements: tuple[Measurement, ...] = ()
    raw: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClockRelation:
    """time on `reference` = t + offset_s + t · drift_ppm / 10⁶, t on `clock`; residual_s is what the fit left."""

    clock: str
    reference: str
    offset_s: float
    drift_ppm: float = 0.0
    residual_s: float = 0.0

    @classmethod
    def seen(cls, clock: str, offset_s: float, at: float, drift_ppm: float, residual_s: float) -> Self:
        """To the host's clock, from the offset as it was when `clock` showed `at`."""
        return cls(clock, "monotonic", offset_s - at * drift_ppm / 1e6, drift_ppm, residual_s)


class Counts(NamedTuple):
    """Cells (slot, point) by what became of them."""

    done: int
    failed: int
    skipped: int
    planned: int
