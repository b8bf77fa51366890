"""What a campaign or an environment can say at all."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import campaign_fact
from primetime.model import QualityWarning, Severity, Usable


def smoke(data: CampaignData) -> Iterator[QualityWarning]:
    """A smoke run only shows that every cell works."""
    if data.study.smoke:
        sentence = "smoke run with one-second trials: it shows that every cell works, not how fast"
        yield QualityWarning("smoke", Severity.FORBIDS, CAMPAIGN, sentence)


def emulated(data: CampaignData) -> Iterator[QualityWarning]:
    """Contract §8: emulated environments get no verdict, and on an emulated device none does."""
    device = campaign_fact(data, "machine.emulated")
    if device:
        sentence = f"the device is itself emulated ({device}): no figure says anything about speed"
        yield QualityWarning("emulated", Severity.FORBIDS, CAMPAIGN, sentence)
        return
    for record in data.environments.values():
        if record.emulated:
            sentence = f"{record.label} is emulated (TCG): figures say nothing about speed"
            yield QualityWarning("emulated", Severity.FORBIDS, scope_of(record.label), sentence)


def unusable(data: CampaignData) -> Iterator[QualityWarning]:
    """An environment of the study that this device could not run."""
    for record in data.environments.values():
        if record.usable is Usable.NO:
            remedy = f" (to mend it: {record.remedy})" if record.remedy else ""
            sentence = f"{record.label} could not be used on this device: {record.reason}{remedy}"
            yield QualityWarning("not-usable", Severity.WARNING, scope_of(record.label), sentence)
