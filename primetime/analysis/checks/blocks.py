"""Enough blocks for a verdict, and how the campaign stopped."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.verdicts import blocks_needed
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


def sequential_stop(data: CampaignData) -> Iterator[QualityWarning]:
    """Stopping on width costs a little coverage (methodology §3)."""
    if data.campaign["state"] == CampaignState.WIDTH:
        sentence = (
            "the campaign stopped when its intervals were narrow enough: they are sequential, a little optimistic"
        )
        yield QualityWarning("sequential", Severity.NOTE, CAMPAIGN, sentence)
