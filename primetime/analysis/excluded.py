"""What analysis leaves out, always with the reason: said in the report, never written into the file."""

from __future__ import annotations

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
    """Return what became of every cell (slot, point): its finished trial, else its last one."""
    cells: dict[tuple[int, str], TrialRecord] = {}
    for trial in data.trials:
        cell = (trial.slot, trial.point)
        if cell not in cells or cells[cell].status is not TrialStatus.DONE:
            cells[cell] = trial
    return list(cells.values())


def repeated(data: CampaignData) -> list[TrialRecord]:
    """Return failed trials whose cell was planned once more."""
    last = {trial.trial for trial in last_of_cells(data)}
    return [trial for trial in data.trials if trial.trial not in last and trial.status is TrialStatus.FAILED]


def excluded(data: CampaignData, baseline: str) -> tuple[Exclusion, ...]:
    """Return every trial that was planned and is not compared, in the order of trials.

    Besides failed, skipped and unfinished ones: finished trials whose block has no finished partner.
    """
    again = {trial.trial for trial in repeated(data)}
    found = ((trial, _reason(data, trial, baseline)) for trial in data.trials)
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


def _reason(data: CampaignData, trial: TrialRecord, baseline: str) -> str:
    """Say why a trial is not compared; "" when it is, or is not meant to be."""
    if trial.status in (TrialStatus.PLANNED, TrialStatus.RUNNING):
        return "not measured yet"
    if trial.status is not TrialStatus.DONE:
        return trial.reason or "no reason was given"
    if trial.environment == baseline or trial.role is not Role.MAIN:
        return ""
    partners = {partner.block for partner in data.done(trial.point, baseline)}
    return "" if trial.block in partners else f"{baseline} has no figure in this block"
