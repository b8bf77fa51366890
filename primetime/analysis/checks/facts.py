"""Facts that did not stay the same while the campaign lasted."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN
from primetime.model import QualityWarning, Severity


def changed_facts(data: CampaignData) -> Iterator[QualityWarning]:
    """A campaign that was resumed after an upgrade or on another machine crosses what changed."""
    values: dict[str, list[str]] = {}
    for fact in data.facts:
        if fact.scope == CAMPAIGN:
            values.setdefault(fact.name, []).append(str(fact.value))
    changed = {name: found for name, found in values.items() if len(found) > 1}
    if changed:
        sentence = f"facts of the device changed during the campaign: {', '.join(changed)}"
        figures: dict[str, float | str] = {name: " → ".join(found) for name, found in changed.items()}
        yield QualityWarning("facts-changed", Severity.NOTE, CAMPAIGN, sentence, figures)
