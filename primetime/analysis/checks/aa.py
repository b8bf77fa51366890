"""Contract §8: the baseline once more in every block. What difference does nothing make?"""

from __future__ import annotations

import math
from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.intervals import ALPHA, difference_p, holm, log_ratio_interval
from primetime.model import Interval, QualityWarning, Role, Severity, TrialStatus

FEWEST_PAIRS = 6


def aa_pairs(data: CampaignData) -> dict[str, tuple[float, ...]]:
    """Return ln(A/A slot / main slot) of the baseline's primary metric by point, one per block."""
    values: dict[tuple[str, Role], dict[int, float]] = {}
    for trial in data.trials:
        primary = data.points[trial.point].primary
        mine = trial.environment == data.study.baseline and trial.status is TrialStatus.DONE
        if mine and trial.values.get(primary, 0.0) > 0:
            values.setdefault((trial.point, trial.role), {})[trial.block] = trial.values[primary]
    found: dict[str, tuple[float, ...]] = {}
    for point in data.points:
        again, main = values.get((point, Role.AA), {}), values.get((point, Role.MAIN), {})
        shared = sorted(again.keys() & main.keys())
        if shared:
            found[point] = tuple(math.log(again[block] / main[block]) for block in shared)
    return found


def aa_intervals(data: CampaignData) -> dict[str, Interval]:
    """Return the A/A ratio of every point with at least two pairs."""
    return {point: log_ratio_interval(d) for point, d in aa_pairs(data).items() if len(d) > 1}


def aa_alarm(data: CampaignData) -> Iterator[QualityWarning]:
    """Nothing makes a difference here: the method cannot be trusted on that point. Holm over the A/A family."""
    pairs = {point: d for point, d in aa_pairs(data).items() if len(d) >= FEWEST_PAIRS}
    adjusted = holm([difference_p(d) for d in pairs.values()])
    for (point, d), p in zip(pairs.items(), adjusted, strict=True):
        if p <= ALPHA:
            interval = log_ratio_interval(d)
            sentence = (
                f"A/A alarm in {point}: {data.study.baseline} differs from itself, "
                f"{interval.ratio:.3f} [{interval.low:.3f}, {interval.high:.3f}] over {len(d)} blocks"
            )
            yield QualityWarning("aa-alarm", Severity.FORBIDS, scope_of(point=point), sentence, {"p": p})


def aa_few(data: CampaignData) -> Iterator[QualityWarning]:
    """An A/A comparison that does not count yet."""
    if not data.study.stopping.aa or data.study.smoke:
        return
    pairs = aa_pairs(data)
    few = [point for point in data.points if len(pairs.get(point, ())) < FEWEST_PAIRS]
    if few:
        sentence = f"A/A has fewer than {FEWEST_PAIRS} pairs in {', '.join(few)}: it does not count there yet"
        yield QualityWarning("aa-few", Severity.NOTE, CAMPAIGN, sentence)
