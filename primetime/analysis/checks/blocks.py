"""Enough blocks for a verdict, and how the campaign stopped."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.verdicts import blocks_needed
from primetime.intervals import half_width, log_ratios
from primetime.model import CampaignState, QualityWarning, Severity


def few_blocks(data: CampaignData) -> Iterator[QualityWarning]:
    """Points with fewer finished blocks than a verdict needs."""
    needed = blocks_needed(data.study)
    for label, record in data.environments.items():
        if record.emulated:
            continue  # one block is all it gets
        done = {point: len(data.done(point, label)) for point in data.points}
        short = {point: count for point, count in done.items() if 0 < count < needed}
        if not short:
            continue
        fewest = min(short.values())
        sentence = f"{label} has {fewest} of the {needed} blocks that a verdict needs in {', '.join(short)}"
        figures: dict[str, float | str] = {"blocks": float(fewest), "needed": float(needed)}
        for point in short:
            yield QualityWarning("few-blocks", Severity.NOTE, scope_of(label, point), sentence, figures)


def precision_missed(data: CampaignData) -> Iterator[QualityWarning]:
    """The cap or the budget came before the width that the study asked for (methodology §3)."""
    if data.campaign["state"] not in (CampaignState.BLOCKS, CampaignState.BUDGET) or data.study.smoke:
        return
    base, wanted = data.baseline, data.study.stopping.half_width
    for point, record in data.points.items():
        values = {label: data.by_block(point, label, record.primary) for label in data.environments}
        for label in data.environments:
            d = list(log_ratios(values[label], values[base]).values()) if label != base else []
            width = half_width(d)
            if len(d) >= blocks_needed(data.study) and width > wanted:
                sentence = (
                    f"precision not reached for {label} in {point}: ±{100 * width:.1f} %, ±{100 * wanted:g} % asked for"
                )
                yield QualityWarning(
                    "precision-not-reached", Severity.NOTE, scope_of(label, point), sentence, {"half_width": width}
                )


def sequential_stop(data: CampaignData) -> Iterator[QualityWarning]:
    """Stopping on width costs a little coverage (methodology §3)."""
    if data.campaign["state"] == CampaignState.WIDTH:
        sentence = (
            "the campaign stopped when its intervals were narrow enough: they are sequential, a little optimistic"
        )
        yield QualityWarning("sequential", Severity.NOTE, CAMPAIGN, sentence)
