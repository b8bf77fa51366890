"""Results of somebody else's study: what is not known, and what follows from that."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import campaign_fact
from primetime.model import QualityWarning, Severity, writing


def not_known(data: CampaignData) -> Iterator[QualityWarning]:
    """Everything that the raw outputs do not say."""
    tool = campaign_fact(data, "foreign.tool")
    if tool is None:
        return
    unknown = campaign_fact(data, "foreign.unknown")
    sentence = f"these are foreign results, imported from {tool}'s raw outputs; not known: {unknown}"
    yield QualityWarning("foreign", Severity.WARNING, CAMPAIGN, sentence)


def one_run(data: CampaignData) -> Iterator[QualityWarning]:
    """One run per cell: nothing says how much another boot would have differed."""
    if campaign_fact(data, "foreign.tool") is None:
        return
    for label in data.environments:
        alone = [point for point in data.points if len(data.done(point, label)) == 1]
        if alone:
            sentence = f"{label} has one run in {', '.join(alone)}: how much two boots differ is not known"
            for point in alone:
                yield QualityWarning("one-boot", Severity.NOTE, scope_of(label, point), sentence, {"boots": 1.0})


def undrained_writes(data: CampaignData) -> Iterator[QualityWarning]:
    """Buffered writes that nobody synced or drained: their rate is that of memory."""
    if campaign_fact(data, "foreign.tool") is None:
        return
    for point, record in data.points.items():
        params = record.point.params
        buffered = params.get("direct") is False and not params.get("fsync")
        if writing(params) and buffered:
            sentence = (
                f"the writes of {point} are buffered and were not synced: it is not known how many reached a device"
            )
            yield QualityWarning("absorbed-writes", Severity.FORBIDS, scope_of(point=point), sentence)
