"""What the campaign file takes and gives beside the nouns of `model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

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
    """time on `reference` = time on `clock` + offset_s, drifting by drift_ppm; residual_s is what the fit left."""

    clock: str
    reference: str
    offset_s: float
    drift_ppm: float = 0.0
    residual_s: float = 0.0


class Counts(NamedTuple):
    """Cells (slot, point) by what became of them."""

    done: int
    failed: int
    skipped: int
    planned: int
