"""What was not watched: without an instrument the checks that need it are silent, so that is said."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import boot_numbers, boot_values, campaign_fact
from primetime.model import QualityWarning, Severity

PREFIX, DROPPED = "instrument.", "instrument.samples_dropped"
FAILED, UNAVAILABLE = "failed: ", "unavailable: "
BILL = "whether the CPU bill closes"
NEEDED = {  # instrument → what nothing can show without it
    "cpu": BILL,
    "cgroup": BILL,
    "bill": BILL,
    "observer": BILL,
    "disk": "whether writes reached the device",
    "memory": "what was still in memory at a run's end",
    "net": "whether somebody visited",
}


def instrument_lost(data: CampaignData) -> Iterator[QualityWarning]:
    """Instruments that this device cannot have, that failed in a boot, or that had no room for their samples."""
    names = sorted({fact.name for fact in data.facts if fact.name.startswith(PREFIX) and fact.name != DROPPED})
    for name in names:
        reason = str(campaign_fact(data, name) or "")
        if reason.startswith(UNAVAILABLE):
            sentence = f"not watched on this device: {words(name)} ({reason.removeprefix(UNAVAILABLE)})"
            yield QualityWarning("instrument-lost", severity(name), CAMPAIGN, sentence)
        for label, values in boot_values(data, name).items():
            lost = [str(value).removeprefix(FAILED) for value in values]
            boots = sum(boot.environment == label for boot in data.boots)
            sentence = (
                f"lost in {len(lost)} of {boots} boots of {label}: {words(name)} ({'; '.join(dict.fromkeys(lost))})"
            )
            yield QualityWarning(
                "instrument-lost", severity(name), scope_of(label), sentence, {"boots": float(len(lost))}
            )
    for label, counts in boot_numbers(data, DROPPED).items():
        sentence = f"{sum(counts):g} samples of {label} found no room: its series have holes, its figures stand"
        yield QualityWarning("instrument-lost", Severity.NOTE, scope_of(label), sentence, {"samples": sum(counts)})


def words(name: str) -> str:
    """An instrument, and what is not known without it."""
    short = name.removeprefix(PREFIX)
    return f"{short}, without which nothing shows {NEEDED[short]}" if short in NEEDED else short


def severity(name: str) -> Severity:
    """A check that is silent is graver than a series that is not there."""
    return Severity.WARNING if name.removeprefix(PREFIX) in NEEDED else Severity.NOTE
