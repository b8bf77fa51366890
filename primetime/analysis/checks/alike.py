"""Contract §1, §2: storage and memory that must be equal on both sides, rules switched off, clocks."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import boot_numbers, boot_values, campaign_fact, variants_of
from primetime.model import QualityWarning, Severity

QUEUE = ("scheduler", "read_ahead_kb", "rotational")
DIRTY = ("dirty_bytes", "dirty_background_bytes")
CLOCK_JUMP_S = 0.010


def queues_differ(data: CampaignData) -> Iterator[QualityWarning]:
    """A guest's disk queue that is not set as the host's."""
    for name in QUEUE:
        host = in_force(campaign_fact(data, f"disk.queue.{name}"))
        for label, values in boot_values(data, f"guest.vdb.{name}").items():
            guests = sorted({in_force(value) for value in values} - {host})
            if host and guests:
                sentence = f"{name} of {label}'s disk is {', '.join(guests)}, the host's is {host}"
                yield QualityWarning("queue-differs", Severity.WARNING, scope_of(label), sentence)


def mounts_differ(data: CampaignData) -> Iterator[QualityWarning]:
    """In partition mode everybody mounts the same file system, so its options must be the same."""
    if campaign_fact(data, "volume.mode") != "partition":
        return
    seen = {label: values[-1] for label, values in boot_values(data, "volume.inside.options").items()}
    kinds = {label: values[-1] for label, values in boot_values(data, "volume.inside.type").items()}
    base = data.baseline
    for label, options in seen.items():
        comparable = kinds.get(label) == kinds.get(base) == "ext4"  # an overlay shows its own options
        if comparable and set(str(options).split(",")) != set(str(seen[base]).split(",")):
            sentence = f"{label} mounts the volume with {options}, {base} with {seen[base]}"
            yield QualityWarning("mount-differs", Severity.WARNING, scope_of(label), sentence)


def dirty_limits_differ(data: CampaignData) -> Iterator[QualityWarning]:
    """Dirty limits that are relative, or not the same on host and in guests."""
    for name in DIRTY:
        host = campaign_fact(data, f"sysctl.vm.{name}")
        if str(host) == "0":
            sentence = f"vm.{name} is relative on this host: page caches of different size are written back differently"
            yield QualityWarning("dirty-limits-relative", Severity.WARNING, CAMPAIGN, sentence)
            continue
        for label, values in boot_values(data, f"guest.vm.{name}").items():
            others = sorted({str(value) for value in values} - {str(host)})
            if host is not None and others:
                sentence = f"vm.{name} is {', '.join(others)} in {label} and {host} on the host"
                yield QualityWarning("dirty-limits-differ", Severity.WARNING, scope_of(label), sentence)


def variants(data: CampaignData) -> Iterator[QualityWarning]:
    """Rules of the contract that a user switched off: named beside the figures."""
    for variant in variants_of(data):
        sentence = f"this study is a named variant: {variant}"
        yield QualityWarning("variant", Severity.NOTE, CAMPAIGN, sentence, {"variant": variant})
    for label in data.environments:
        for variant in variants_of(data, label):
            sentence = f"{label} is a named variant: {variant}"
            yield QualityWarning("variant", Severity.NOTE, scope_of(label), sentence, {"variant": variant})


def clocks(data: CampaignData) -> Iterator[QualityWarning]:
    """A guest's clock whose offset was not known to better than 10 ms."""
    for label, trips in boot_numbers(data, "guest.clock_round_trip_s").items():
        if max(trips) > CLOCK_JUMP_S:
            sentence = f"the clock of {label} is known to {max(trips) * 1e3:.1f} ms only"
            yield QualityWarning("clock-uncertain", Severity.NOTE, scope_of(label), sentence)


def in_force(value: object) -> str:
    """The chosen word of a kernel file that lists all ("[none] bfq"), or the whole word."""
    words = str(value if value is not None else "").split()
    marked = [word[1:-1] for word in words if word.startswith("[")]
    return marked[0] if marked else " ".join(words)
