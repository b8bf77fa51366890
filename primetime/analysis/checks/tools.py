"""Tools that are known to measure wrongly: fio's fsync latencies by version and engine (domain facts F.1).

Up to 3.30, fio with libaio stamps an fsync before it is issued: about 0 µs on any device. From 3.31 to 3.40 it uses the
stamp of an earlier request: queueing is counted as fsync. io_uring at a depth above 1 lets syncs overlap. Only a
synchronous engine at depth 1 is believed; the others' figures are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from primetime.analysis.data import CampaignData
from primetime.analysis.quantities import quantity
from primetime.analysis.scope import scope_of
from primetime.model import QualityWarning, Severity

VERSION = re.compile(r"(\d+)\.(\d+)")
SYNCHRONOUS = frozenset({"psync", "sync", "pvsync", "pvsync2", "vsync"})
NO_SYSCALL_S = 1e-6  # no fsync returns faster than a system call with a request in it
SYNCS_OFF = 0.1  # part of the writes per sync that were asked for
FIO_VERSIONS = ("tool.version", "version.fio", "userland.fio")
Told = Mapping[tuple[str, str], Mapping[str, object]]


def untimed_syncs(data: CampaignData) -> Iterator[QualityWarning]:
    """fsync latencies that this fio, with this engine, cannot have measured: they are refused, with what it claimed."""
    told = said_of_trials(data)
    for point, record in data.points.items():
        if record.point.workload != "fio" or not record.point.params.get("fsync"):
            continue
        for label in data.environments:
            facts = told.get((point, label), {})
            fault = fsync_fault(version_of(facts), record.point.params, facts)
            if not fault or not data.done(point, label):
                continue
            claimed = facts.get("tool.sync_mean_s")
            seen = f" ({quantity(float(str(claimed)), 's')} was claimed)" if claimed is not None else ""
            sentence = f"no fsync latency is taken of {label} in {point}{seen}: {fault}"
            scope = scope_of(label, point, "fsync_mean")
            severity = Severity.WARNING if claimed is not None else Severity.NOTE
            figures: dict[str, float | str] = {"version": ".".join(map(str, version_of(facts) or ())) or "unknown"}
            if claimed is not None:
                figures["claimed_s"] = float(str(claimed))
            yield QualityWarning("fsync-untimed", severity, scope, sentence, figures)


def miscounted_syncs(data: CampaignData) -> Iterator[QualityWarning]:
    """fio issued more or fewer syncs than it was asked for: another workload than the point says."""
    for point, record in data.points.items():
        asked = record.point.params.get("fsync")
        if record.point.workload != "fio" or not isinstance(asked, int) or not asked:
            continue
        for label in data.environments:
            seen = [t.values["writes_per_sync"] for t in data.done(point, label) if "writes_per_sync" in t.values]
            off = [one for one in seen if abs(one / asked - 1) > SYNCS_OFF]
            if off:
                sentence = f"{label} in {point}: fio synced after {off[0]:.1f} writes, it was asked to after {asked}"
                scope = scope_of(label, point)
                yield QualityWarning("syncs-miscounted", Severity.FORBIDS, scope, sentence, {"writes_per_sync": off[0]})


def tools_differ(data: CampaignData) -> Iterator[QualityWarning]:
    """Another version of the tool, or other parameters, than the baseline had: another workload in the same words."""
    told = said_of_trials(data)
    for label in data.environments:
        if label == data.baseline:
            continue
        by_difference: dict[str, list[str]] = {}
        for point in data.points:
            own, base = (told.get((point, side), {}) for side in (label, data.baseline))
            names = [name for name in own.keys() & base.keys() if name == "tool.version" or name.startswith("param.")]
            for name in sorted(name for name in names if own[name] != base[name]):
                words = f"{name.removeprefix('tool.').removeprefix('param.')} {own[name]} against {base[name]}"
                by_difference.setdefault(words, []).append(point)
        for words, points in by_difference.items():
            sentence = f"{label} and {data.baseline} did not run the same: {words} in {', '.join(points)}"
            severity = Severity.WARNING if words.startswith("version") else Severity.FORBIDS
            for point in points:
                yield QualityWarning("tool-differs", severity, scope_of(label, point), sentence)


def fsync_fault(version: tuple[int, int] | None, params: Mapping[str, object], facts: Mapping[str, object]) -> str:
    """Say why an fsync latency is not believed; "" when it is."""
    engine, depth = str(params.get("ioengine", "psync")), int(str(params.get("iodepth", 1)))
    if engine == "libaio":
        if version is None:
            return "fio times libaio's syncs wrongly up to 3.40, and its version is not known"
        if version <= (3, 30):
            return f"fio {version[0]}.{version[1]} stamps libaio's syncs before they are issued (up to 3.30)"
        if version <= (3, 40):
            return f"fio {version[0]}.{version[1]} gives libaio's syncs an earlier request's stamp (3.31 to 3.40)"
    if engine not in SYNCHRONOUS and depth > 1:
        return f"{engine} at depth {depth} lets syncs overlap with what is queued"
    claimed = facts.get("tool.sync_mean_s")
    if isinstance(claimed, float) and claimed < NO_SYSCALL_S:
        return "it is shorter than a system call"
    return ""


def version_of(facts: Mapping[str, object]) -> tuple[int, int] | None:
    """Return fio's version as numbers; None where it is not known."""
    said = next((str(facts[name]) for name in FIO_VERSIONS if name in facts), "")
    found = VERSION.search(said)
    return (int(found[1]), int(found[2])) if found else None


def said_of_trials(data: CampaignData) -> Told:
    """Return what the tools said of themselves, by point and environment: the newest of every fact."""
    cells = {str(trial.trial): (trial.point, trial.environment) for trial in data.trials}
    found: dict[tuple[str, str], dict[str, object]] = {}
    for fact in data.facts:
        if fact.scope == "trial" and fact.scope_id in cells:
            found.setdefault(cells[fact.scope_id], {})[fact.name] = fact.value
    return found
