"""Contract §1, §2, §4: what must be equal on both sides, or is reported with its differences."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.checks.limits import VMM_KINDS
from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import boot_numbers, boot_values, campaign_fact, variants_of
from primetime.model import QualityWarning, Severity

QUEUE = ("scheduler", "read_ahead_kb", "rotational")
DIRTY = ("dirty_bytes", "dirty_background_bytes")
TCP = ("tcp.rmem", "tcp.wmem", "tcp.congestion_control")
NETWORK_WORKLOADS = frozenset({"netperf", "iperf3"})
BYPASSING = frozenset({"none", "directsync"})
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


def cache_modes_mixed(data: CampaignData) -> Iterator[QualityWarning]:
    """A VM whose disk goes through the host's page cache, against a baseline that bypasses it: an ablation."""
    direct = [record.name for record in data.points.values() if record.point.params.get("direct") is True]
    for label, record in data.environments.items():
        cache = record.spec.settings.get("cache", "none")
        if record.spec.kind not in VMM_KINDS or cache in BYPASSING:
            continue
        for point in direct:
            sentence = f"{label} has cache = {cache}: in {point} it uses the host's page cache, the baseline the device"
            yield QualityWarning("cache-modes-mixed", Severity.FORBIDS, scope_of(label, point), sentence)


def kernels_differ(data: CampaignData) -> Iterator[QualityWarning]:
    """A ratio that crosses kernels, with what is known to differ."""
    seen = {label: str(values[-1]) for label, values in boot_values(data, "kernel.release").items() if values[-1]}
    base = seen.get(data.study.baseline)
    for label, release in seen.items():
        if base and release != base:
            sentence = f"{label} runs on kernel {release}, {data.study.baseline} on {base}: the ratio crosses kernels"
            yield QualityWarning(
                "kernel-differs", Severity.NOTE, scope_of(label), sentence, {"kernel": release, "baseline": base}
            )


def tcp_differs(data: CampaignData) -> Iterator[QualityWarning]:
    """TCP settings inside that are not the baseline's, all of an environment in one sentence."""
    points = [record.name for record in data.points.values() if record.point.workload in NETWORK_WORKLOADS]
    seen = {name: {label: values[-1] for label, values in boot_values(data, name).items()} for name in TCP}
    base = data.study.baseline
    for label in data.environments:
        differing = [
            f"{name} {values[label]} against {values[base]}"
            for name, values in seen.items()
            if label in values and base in values and None not in (values[label], values[base])
            if values[label] != values[base]
        ]
        for point in points if differing else ():
            sentence = f"TCP is set differently in {label} and {base}: {'; '.join(differing)}"
            yield QualityWarning("tcp-differs", Severity.WARNING, scope_of(label, point), sentence)


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
