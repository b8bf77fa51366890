"""Contract §8: the baseline once more in every block. What difference does nothing make?"""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.intervals import ALPHA, difference_p, holm, log_ratio_interval, log_ratios
from primetime.model import QualityWarning, Role, Severity

FEWEST_PAIRS = 6


def aa_pairs(data: CampaignData) -> dict[str, tuple[float, ...]]:
    """Return ln(A/A slot / main slot) of the baseline's primary metric by point, one per block."""
    found: dict[str, tuple[float, ...]] = {}
    for point, record in data.points.items():
        again, main = (data.by_block(point, data.study.baseline, record.primary, role) for role in (Role.AA, Role.MAIN))
        if d := tuple(log_ratios(again, main).values()):
            found[point] = d
    return found


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
