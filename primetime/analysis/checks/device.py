"""Contract §6, §7: flash that changes, and a device that is the limit itself."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.checks.network import is_network
from primetime.analysis.data import CampaignData, PointRecord
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import campaign_fact, means
from primetime.model import QualityWarning, Severity, only_reads, only_writes, writing

AT_LIMIT = 0.95
THROUGHPUT = "throughput"
WEAR = ("disk.device.life_time", "disk.device.pre_eol_info")


def unconditioned(data: CampaignData) -> Iterator[QualityWarning]:
    """Writes to flash that was not brought to a steady state first."""
    writes = any(writing(record.point.params) for record in data.points.values())
    if writes and campaign_fact(data, "flash.preconditioned_bytes") == 0 and not data.study.quick:
        sentence = "the storage was not preconditioned: a fresh device writes faster than a used one"
        yield QualityWarning("unconditioned", Severity.WARNING, CAMPAIGN, sentence)


def own_file(data: CampaignData) -> Iterator[QualityWarning]:
    """The campaign file lies on the device that it measures."""
    if campaign_fact(data, "campaign.on_tested_device"):
        sentence = "the campaign file lies on the tested device: its commits between windows wear and warm it"
        yield QualityWarning("campaign-on-device", Severity.NOTE, CAMPAIGN, sentence)


def worn(data: CampaignData) -> Iterator[QualityWarning]:
    """The device's own wear figures changed while it was measured."""
    for name in WEAR:
        values = list(dict.fromkeys(str(fact.value) for fact in data.facts if fact.name == name))
        if len(values) > 1:
            sentence = f"{name.removeprefix('disk.device.')} of the device went from {values[0]} to {values[-1]}"
            yield QualityWarning("worn", Severity.WARNING, CAMPAIGN, sentence)


def device_limit(data: CampaignData) -> Iterator[QualityWarning]:
    """Baseline and environment both reach the rate of the device or the wire: that is measured, not the environment."""
    base = data.baseline
    for record in data.points.values():
        limit, metric = limit_of(data, record), rate_name(record)
        if not limit:
            continue
        rates = {label: means(data, record.name, label).get(metric, 0.0) for label in data.environments}
        for label, rate in rates.items():
            if label != base and min(rate, rates[base]) >= AT_LIMIT * limit:
                unit = f"{limit / 1e6:.0f} {'Mbit/s' if metric == THROUGHPUT else 'MB/s'}"
                sentence = (
                    f"both {label} and {base} reach the device's limit in {record.name} ({unit}): "
                    "look at the CPU per unit of work"
                )
                scope = scope_of(label, record.name, record.primary)
                yield QualityWarning("device-limit", Severity.FORBIDS, scope, sentence, {"limit": limit})


def limit_of(data: CampaignData, record: PointRecord) -> float:
    """The device's own limit for a point, in the unit of its rate; 0 where none was measured or none applies."""
    params = record.point.params
    if is_network(record):
        towards = str(params.get("test", params.get("direction", "")))
        way = {"stream": "send", "maerts": "receive", "reverse": "receive"}.get(towards, "")
        fact = campaign_fact(data, f"device.limit.wire_{way}_bits_per_s")
    elif (only_reads(params) or only_writes(params)) and params.get("direct") is True:
        fact = campaign_fact(data, f"device.limit.{'read' if only_reads(params) else 'write'}_bytes_per_s")
    else:
        return 0.0
    return float(fact) if isinstance(fact, int | float) else 0.0


def rate_name(record: PointRecord) -> str:
    """Which rate stands against the limit: for writes, the one that was drained."""
    return THROUGHPUT if is_network(record) else "rate" if only_reads(record.point.params) else "drained_rate"
