"""Trials that gave no figure, and how evenly that befell the environments (methodology §4, step 1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from primetime.analysis.data import CampaignData, TrialRecord
from primetime.analysis.excluded import last_of_cells, repeated
from primetime.analysis.scope import scope_of
from primetime.model import QualityWarning, Severity, TrialStatus, Usable

WORDS = {TrialStatus.FAILED: "failed", TrialStatus.SKIPPED: "were skipped"}
ONE = {TrialStatus.FAILED: "failed", TrialStatus.SKIPPED: "was skipped"}


def lost_trials(data: CampaignData) -> Iterator[QualityWarning]:
    """Cells whose trial failed or was skipped, by environment, point and reason."""
    cells = last_of_cells(data)
    planned = Counter((trial.environment, trial.point) for trial in cells)
    lost: dict[tuple[str, str, TrialStatus, str], int] = Counter(
        (trial.environment, trial.point, trial.status, trial.reason)
        for trial in cells
        if trial.status in WORDS and data.environments[trial.environment].usable is not Usable.NO
    )
    for (environment, point, status, reason), count in lost.items():
        of = planned[environment, point]
        verb = (ONE if count == 1 else WORDS)[status]
        sentence = f"{count} of {of} trials of {environment} in {point} {verb}: {reason or 'no reason was given'}"
        severity = Severity.WARNING if status is TrialStatus.FAILED else Severity.NOTE
        figures: dict[str, float | str] = {"trials": float(count), "of": float(of), "reason": reason}
        yield QualityWarning(f"trials-{status}", severity, scope_of(environment, point), sentence, figures)


def repeated_trials(data: CampaignData) -> Iterator[QualityWarning]:
    """Trials lost with their boot and measured again in another."""
    by_environment: dict[str, list[TrialRecord]] = {}
    for trial in repeated(data):
        by_environment.setdefault(trial.environment, []).append(trial)
    for environment, trials in by_environment.items():
        reasons = "; ".join(dict.fromkeys(trial.reason for trial in trials))
        were = "trial was" if len(trials) == 1 else "trials were"
        sentence = f"{len(trials)} {were} planned once more for {environment}: {reasons}"
        figures: dict[str, float | str] = {"trials": float(len(trials))}
        yield QualityWarning("trials-repeated", Severity.NOTE, scope_of(environment), sentence, figures)
