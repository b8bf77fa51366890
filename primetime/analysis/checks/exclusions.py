"""Methodology §4, step 1: when more is left out of one environment than of another, that is said first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from scipy import stats

from primetime.analysis.data import CampaignData
from primetime.analysis.excluded import last_of_cells
from primetime.analysis.scope import scope_of
from primetime.intervals import ALPHA, holm
from primetime.model import QualityWarning, Role, Severity, TrialStatus


def uneven_exclusions(data: CampaignData) -> Iterator[QualityWarning]:
    """Environments whose trials fail or break a rule more often, or less, than the baseline's (Fisher's exact test)."""
    left, all_of = Counter[str](), Counter[str]()
    for trial in last_of_cells(data):
        ended = trial.status in (TrialStatus.DONE, TrialStatus.FAILED)
        if trial.role is Role.MAIN and ended and not data.environments[trial.environment].emulated:
            all_of[trial.environment] += 1
            left[trial.environment] += trial.status is TrialStatus.FAILED or trial.trial in data.ruled_out
    base = data.baseline
    others = [label for label in all_of if label != base]
    if base not in all_of or not others:
        return
    tables = [[[left[one], all_of[one] - left[one]] for one in (label, base)] for label in others]
    adjusted = holm([float(stats.fisher_exact(table).pvalue) for table in tables])
    for label, p in zip(others, adjusted, strict=True):
        if p <= ALPHA:
            sentence = (
                f"{left[label]} of {all_of[label]} trials of {label} are left out, "
                f"{left[base]} of {all_of[base]} of {base}: what is left may not be like what was planned"
            )
            figures: dict[str, float | str] = {"left": float(left[label]), "of": float(all_of[label]), "p": p}
            yield QualityWarning("uneven-exclusions", Severity.WARNING, scope_of(label), sentence, figures)
