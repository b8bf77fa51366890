"""Contract §3: four CPU sets, every thread in its place, a bill that closes, CPU outside the limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import boot_numbers, boot_values, campaign_fact, means, percent
from primetime.model import QualityWarning, Severity, talks_to_peer

RESIDUE = "cpu_residual"
RESIDUAL = 0.05  # of busy
OUTSIDE = 0.01  # of the environment's own CPU time
CPU_METRICS = ("cpu_busy", "cpu_per_gb", "cpu_per_gbit", "cpu_per_million")


def shared_sets(data: CampaignData) -> Iterator[QualityWarning]:
    """The environment shares CPUs with the peer, with primetime or with the kernel's own work."""
    if campaign_fact(data, "cpu.sets_shared"):
        cpus = campaign_fact(data, "cpu.set.environment")
        sentence = f"the environment's CPUs ({cpus}) are shared with the peer, primetime or the kernel's own work"
        yield QualityWarning("cpu-sets-shared", Severity.WARNING, CAMPAIGN, sentence)
        return
    asked = any(talks_to_peer(record.point) for record in data.points.values())
    here = campaign_fact(data, "network.peer") == "namespace"
    if asked and here and campaign_fact(data, "cpu.peer_apart") is False:
        cpus = campaign_fact(data, "cpu.set.peer")
        sentence = f"the peer's CPUs ({cpus}) are shared with primetime or the kernel's own work"
        yield QualityWarning("cpu-sets-shared", Severity.NOTE, CAMPAIGN, sentence)


def strays(data: CampaignData) -> Iterator[QualityWarning]:
    """Threads that serve an environment and may run outside its CPUs."""
    for label, counts in boot_numbers(data, "proof.outside_cgroups").items():
        if max(counts) > 0:
            sentence = f"{label}: up to {max(counts):g} processes that serve it are outside its control groups"
            figures: dict[str, float | str] = {"processes": max(counts)}
            yield QualityWarning("strays", Severity.WARNING, scope_of(label), sentence, figures)
    named = boot_values(data, "proof.strays_named")
    for label, counts in boot_numbers(data, "proof.strays").items():
        if max(counts) > 0:
            who = next((str(value) for value in named.get(label, []) if value), "")
            sentence = f"{label}: up to {max(counts):g} threads may run outside its CPU set ({who})"
            yield QualityWarning("strays", Severity.WARNING, scope_of(label), sentence, {"threads": max(counts)})


def open_bill(data: CampaignData) -> Iterator[QualityWarning]:
    """More than 5 % of busy CPU time is charged to nobody: no verdict on CPU figures."""
    for label in data.environments:
        found = {point: means(data, point, label) for point in data.points}
        open_points = {point: values for point, values in found.items() if is_open(values)}
        if not open_points:
            continue
        parts = (
            f"{point} {percent(values['cpu_residual'], values['cpu_busy'])}" for point, values in open_points.items()
        )
        sentence = (
            f"the CPU bill of {label} does not close, part of busy time is charged to no task: {', '.join(parts)}"
        )
        for point, values in open_points.items():
            figures: dict[str, float | str] = {"residual": values[RESIDUE], "busy": values["cpu_busy"]}
            for metric in CPU_METRICS:
                if metric in values:
                    scope = scope_of(label, point, metric)
                    yield QualityWarning("cpu-bill-open", Severity.FORBIDS, scope, sentence, figures)


def unproved_bill(data: CampaignData) -> Iterator[QualityWarning]:
    """CPU figures without the residual that would show that their bill closes: an instrument of the bill was lost."""
    for label in data.environments:
        lost: dict[str, str] = {}
        for point in data.points:
            billed = [
                boot.values for boot in data.done(point, label) if any(name in boot.values for name in CPU_METRICS)
            ]
            without = sum(RESIDUE not in values for values in billed)
            if without:
                lost[point] = f"{without} of {len(billed)} boots in {point}"
        sentence = (
            f"nothing shows that the CPU bill of {label} closes: no residual is known of {', '.join(lost.values())}"
        )
        for point in lost:
            for metric in (name for name in CPU_METRICS if name in data.means(point, label)):
                yield QualityWarning("cpu-bill-open", Severity.FORBIDS, scope_of(label, point, metric), sentence)


def is_open(values: Mapping[str, float]) -> bool:
    """Whether a bill's residual is over the limit; False where none was measured, which `unproved_bill` says."""
    busy, residual = values.get("cpu_busy", 0.0), values.get(RESIDUE, 0.0)
    return busy > 0 and abs(residual) > RESIDUAL * busy


def outside_limit(data: CampaignData) -> Iterator[QualityWarning]:
    """CPU time that serves an environment but lies outside its limit (vhost, other kernel threads)."""
    for point in data.points:
        for label in data.environments:
            found = means(data, point, label)
            outside, own = found.get("cpu_outside", 0.0), found.get("cpu_environment", 0.0)
            if own and outside > OUTSIDE * own:
                sentence = (
                    f"{label} in {point} uses {outside:.3f} CPU s, {percent(outside, own)} of its CPU time, "
                    "outside its limit"
                )
                yield QualityWarning(
                    "cpu-outside-limit", Severity.NOTE, scope_of(label, point), sentence, {"cpu_s": outside}
                )
