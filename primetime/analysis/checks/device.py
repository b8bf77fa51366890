"""Contract §6, §7: flash that changes, and a device that is the limit itself."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import campaign_fact, means
from primetime.model import QualityWarning, Severity

AT_LIMIT = 0.95
READS, WRITES = ("read", "randread"), ("write", "randwrite")
WEAR = ("disk.device.life_time", "disk.device.pre_eol_info")


def unconditioned(data: CampaignData) -> Iterator[QualityWarning]:
    """Writes to flash that was not brought to a steady state first."""
    writes = any(str(record.point.params.get("rw", "")) in WRITES for record in data.points.values())
    if writes and campaign_fact(data, "flash.preconditioned_bytes") == 0 and not data.study.quick:
        sentence = "the storage was not preconditioned: a fresh device writes faster than a used one"
        yield QualityWarning("unconditioned", Severity.WARNING, CAMPAIGN, sentence)


def worn(data: CampaignData) -> Iterator[QualityWarning]:
    """The device's own wear figures changed while it was measured."""
    for name in WEAR:
        values = list(dict.fromkeys(str(fact.value) for fact in data.facts if fact.name == name))
        if len(values) > 1:
            sentence = f"{name.removeprefix('disk.device.')} of the device went from {values[0]} to {values[-1]}"
            yield QualityWarning("worn", Severity.WARNING, CAMPAIGN, sentence)


def device_limit(data: CampaignData) -> Iterator[QualityWarning]:
    """Baseline and environment both reach the device's own rate: the device is measured, not the environment."""
    base = data.study.baseline
    for record in data.points.values():
        pattern = str(record.point.params.get("rw", ""))
        limit = campaign_fact(data, f"device.limit.{'read' if pattern in READS else 'write'}_bytes_per_s")
        if pattern not in (*READS, *WRITES) or not isinstance(limit, int | float) or not limit:
            continue
        rates = {label: means(data, record.name, label).get(rate_name(pattern), 0.0) for label in data.environments}
        for label, rate in rates.items():
            if (
                label != base
                and min(rate, rates[base]) >= AT_LIMIT * limit
                and record.point.params.get("direct") is True
            ):
                sentence = (
                    f"both {label} and {base} reach the device's limit in {record.name} "
                    f"({limit / 1e6:.0f} MB/s): look at the CPU per unit of work"
                )
                scope = scope_of(label, record.name, "rate")
                yield QualityWarning("device-limit", Severity.FORBIDS, scope, sentence, {"limit": float(limit)})


def rate_name(pattern: str) -> str:
    """Which rate stands against the device's: for writes, the one that was drained."""
    return "rate" if pattern in READS else "drained_rate"
