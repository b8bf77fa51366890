"""What analysis leaves out, always with the reason: said in the report, never written into the file."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from primetime.analysis.data import CampaignData, TrialRecord
from primetime.model import Role, TrialStatus


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One trial that no comparison uses."""

    environment: str
    point: str
    block: int
    trial: int
    status: str
    reason: str


def last_of_cells(data: CampaignData) -> list[TrialRecord]:
    """Return what became of every cell (slot, place in it): its finished trial, else its last one."""
    cells: dict[tuple[int, int], TrialRecord] = {}
    for trial in data.trials:
        cell = (trial.slot, trial.ord)
        if cell not in cells or cells[cell].status is not TrialStatus.DONE:
            cells[cell] = trial
    return list(cells.values())


def repeated(data: CampaignData) -> list[TrialRecord]:
    """Return failed trials whose cell was planned once more."""
    last = {trial.trial for trial in last_of_cells(data)}
    return [trial for trial in data.trials if trial.trial not in last and trial.status is TrialStatus.FAILED]


def excluded(data: CampaignData, baseline: str) -> tuple[Exclusion, ...]:
    """Return every trial that was planned and is not compared, in the order of trials.

    Besides failed, skipped and unfinished ones: finished trials that a rule written before leaves out, and those
    whose block has no finished partner.
    """
    partners = {point: {trial.block for trial in data.done(point, baseline)} for point in data.points}
    again = {trial.trial for trial in repeated(data)}
    found = ((trial, _reason(data, trial, baseline, partners[trial.point])) for trial in data.trials)
    return tuple(
        Exclusion(
            trial.environment,
            trial.point,
            trial.block,
            trial.trial,
            trial.status.value,
            f"{reason} (planned once more)" if trial.trial in again else reason,
        )
        for trial, reason in found
        if reason
    )


def _reason(data: CampaignData, trial: TrialRecord, baseline: str, partners: Set[int]) -> str:
    """Say why a trial is not compared; "" when it is, or is not meant to be."""
    if trial.status in (TrialStatus.PLANNED, TrialStatus.RUNNING):
        return "not measured yet"
    if trial.status is not TrialStatus.DONE:
        return trial.reason or "no reason was given"
    if trial.trial in data.ruled_out:
        return data.ruled_out[trial.trial]
    if trial.environment == baseline or trial.role is not Role.MAIN:
        return ""
    return "" if trial.block in partners else f"{baseline} has no figure in this block"
