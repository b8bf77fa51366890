"""Facts that did not stay the same while the campaign lasted."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import settings_told
from primetime.model import QualityWarning, Severity


def changed_facts(data: CampaignData) -> Iterator[QualityWarning]:
    """A campaign that was resumed after an upgrade or on another machine crosses what changed."""
    changed: dict[str, dict[str, float | str]] = {}
    for (label, name), values in settings_told(data).items():
        if len(values) > 1:
            changed.setdefault(label, {})[name] = " → ".join(values)
    for label, figures in changed.items():
        if label:
            known = ", ".join(f"{name} {values}" for name, values in figures.items())
            sentence = f"{label} changed during the campaign: {known}"
            yield QualityWarning("facts-changed", Severity.WARNING, scope_of(label), sentence, figures)
        else:
            sentence = f"facts of the device changed during the campaign: {', '.join(figures)}"
            yield QualityWarning("facts-changed", Severity.NOTE, CAMPAIGN, sentence, figures)
