"""Contract §5, §8: quiet before, nothing foreign within, drained after; blocks that are not too long."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.analysis.told import boot_numbers, campaign_fact, means, percent
from primetime.model import QualityWarning, Severity, only_reads

BUSY = 0.20  # of all CPUs, at the end of settling
CLEAN_BYTES = 2 * 2**20  # the runner waits for 1 MiB
OTHERS = 0.25  # of busy
FOREIGN_PACKETS = 20.0  # a second: ARP and the like are fewer
STRAY_PACKETS = 4.0  # in a window; an ARP exchange is two
FLUSHED = 0.5  # flushes of the device per sync of the workload
WORK = "written_bytes"  # by the workload; what it read never reaches the device
ABSORBED = 0.9  # of them
HELD_LEAST = 256 * 2**10  # pages of metadata may wait where the data do not
BLOCK_LIMIT_S = 45 * 60.0


def restless(data: CampaignData) -> Iterator[QualityWarning]:
    """Boots that began while the device was busy with something else."""
    for label, fractions in boot_numbers(data, "settle.busy_fraction").items():
        loud = [fraction for fraction in fractions if fraction > BUSY]
        if loud:
            sentence = (
                f"{label}: before {len(loud)} of {len(fractions)} boots the device was busy with something else "
                f"(up to {100 * max(loud):.0f} % of all CPUs)"
            )
            yield QualityWarning("restless", Severity.WARNING, scope_of(label), sentence, {"boots": float(len(loud))})


def unclean(data: CampaignData) -> Iterator[QualityWarning]:
    """Windows that opened while pages still waited to be written: the drain of something else lies in them."""
    for point in data.points:
        for label in data.environments:
            found = means(data, point, label)
            for side in ("host_dirty_before", "dirty_guest_before"):
                if found.get(side, 0.0) > CLEAN_BYTES:
                    where = "on the host" if side.startswith("host") else "in the guest"
                    sentence = (
                        f"{label} in {point}: {found[side] / 2**20:.1f} MiB were dirty {where} as the window opened"
                    )
                    yield QualityWarning("not-clean", Severity.WARNING, scope_of(label, point), sentence)


def others_busy(data: CampaignData) -> Iterator[QualityWarning]:
    """CPU time in windows that belongs neither to environment nor peer nor primetime: figures per CPU are spoiled.

    Kernel threads that write for the environment are in it, so a little is normal.
    """
    for label in data.environments:
        loud: dict[str, tuple[float, float]] = {}
        for point in data.points:
            found = means(data, point, label)
            rest, busy = found.get("cpu_rest", 0.0), found.get("cpu_busy", 0.0)
            if busy and rest > OTHERS * busy:
                loud[point] = (rest, busy)
        if loud:
            parts = ", ".join(f"{point} {percent(*pair)}" for point, pair in loud.items())
            sentence = (
                f"tasks that belong neither to {label} nor to the peer used the CPUs during its windows "
                f"(part of busy time: {parts})"
            )
            for point in loud:
                yield QualityWarning("others-busy", Severity.WARNING, scope_of(label, point), sentence)


def foreign_packets(data: CampaignData) -> Iterator[QualityWarning]:
    """Traffic on the control interface inside windows: somebody visited while it was measured.

    Too much at all, or clearly more than in the campaign's quietest quarter: a network has its own murmur, but a
    visitor may stay for half of the windows.
    """
    trials = [one for one in data.trials if "control_packets" in one.values and one.point not in data.over_control]
    counted = [(trial, trial.values["control_packets"]) for trial in trials]
    rates = sorted(packets / trial.duration_s for trial, packets in counted if trial.duration_s)
    usual = rates[len(rates) // 4] if rates else 0.0
    for trial, packets in counted:
        seconds = trial.duration_s or 0.0
        if seconds and packets >= STRAY_PACKETS + min(FOREIGN_PACKETS, 3 * usual) * seconds:
            sentence = f"{packets:.0f} packets on the control interface during {trial.point} of {trial.environment}"
            scope = scope_of(trial.environment, trial.point)
            yield QualityWarning("foreign-packets", Severity.WARNING, scope, sentence, {"packets": packets})


def unseen_visits(data: CampaignData) -> Iterator[QualityWarning]:
    """Nothing is known of visitors: a far peer behind the control interface, or a board that has none to watch."""
    if campaign_fact(data, "fleet.address") is not None and not any("control_packets" in t.values for t in data.trials):
        sentence = "no control interface was found on this board: whether somebody visited inside windows is not known"
        yield QualityWarning("visits-unseen", Severity.WARNING, CAMPAIGN, sentence)
    for point in (name for name in data.points if name in data.over_control):
        sentence = (
            f"{point} talks to the peer over the control interface: whether somebody visited cannot be told there"
        )
        yield QualityWarning("visits-unseen", Severity.NOTE, scope_of(point=point), sentence)


def absorbed_writes(data: CampaignData) -> Iterator[QualityWarning]:
    """Writes that were acknowledged and were not on the device: the rate is the memory's."""
    for point in data.points:
        for label in data.environments:
            found = means(data, point, label)
            work, held, written = found.get(WORK, 0.0), held_bytes(found), found.get("disk_written", math.inf)
            if work and "drained_rate" in found and (held > (1 - ABSORBED) * work or written < ABSORBED * work):
                rates = (
                    f"{found['rate'] / 1e6:.1f} MB/s were acknowledged, {found['drained_rate'] / 1e6:.1f} MB/s drained"
                )
                sentence = (
                    f"{label} in {point}: {percent(min(held, work), work)} of what was written were still in memory "
                    f"when the run ended, {percent(min(written, work), work)} ever reached the device: {rates}"
                )
                yield QualityWarning("absorbed-writes", Severity.WARNING, scope_of(label, point), sentence)


def held_bytes(found: Mapping[str, float]) -> float:
    """What waited for the drain in the environment's own memory and its guest's: other programs' pages do not count."""
    return found.get("environment_dirty_at_end", 0.0) + found.get("dirty_guest_at_end", 0.0)


def not_durable(data: CampaignData) -> Iterator[QualityWarning]:
    """Synced writes for which the device was not told to flush, or that did not reach it: they are not durable.

    A device without a volatile cache ("write through") needs no flushes.
    """
    cached = str(campaign_fact(data, "disk.queue.write_cache")) == "write back"
    for record in data.points.values():
        synced = record.point.params.get("fsync") and not only_reads(record.point.params)
        for label in data.environments if synced else ():
            found = means(data, record.name, label)
            said = undone_syncs(found, float(record.point.params["bs"])) if cached else ""
            work, written = found.get(WORK, 0.0), found.get("disk_written")
            if not said and written is not None and written < ABSORBED * work:
                said = f"{percent(written, work)} of the bytes reached the device"
            held = held_bytes(found)
            if not said and held > max(HELD_LEAST, (1 - ABSORBED) * work):
                said = f"{held / 2**10:.0f} KiB were in memory when the run ended, {work / 2**10:.0f} KiB were synced"
            if said:
                sentence = f"{label} in {record.name}: {said}: its synced writes are not durable"
                yield QualityWarning("not-durable", Severity.FORBIDS, scope_of(label, record.name), sentence)


def undone_syncs(found: Mapping[str, float], block: float) -> str:
    """Say how many flushes the device got for how many syncs, when they are too few; "" when they are not."""
    flushes, per_sync = found.get("disk_flushes"), found.get("writes_per_sync", 0.0)
    if flushes is None or not per_sync:
        return ""
    syncs = found.get(WORK, 0.0) / block / per_sync
    return f"{syncs:.0f} syncs gave the device {flushes:.0f} flushes" if flushes < FLUSHED * syncs else ""


def long_blocks(data: CampaignData) -> Iterator[QualityWarning]:
    """Point groups over 45 minutes in a block: environments that are compared lie too far apart in time."""
    spans: dict[tuple[int, int], list[float]] = {}
    for boot in data.boots:
        times = [boot.t0, boot.t1 if boot.t1 is not None else boot.t0]
        spans.setdefault((boot.block, boot.group), []).extend(times)
    over = [stretch for stretch, times in spans.items() if max(times) - min(times) > BLOCK_LIMIT_S]
    if over:
        what = "blocks" if len({group for _, group in spans}) == 1 else "point groups in a block"
        sentence = f"{len(over)} of {len(spans)} {what} took longer than 45 minutes"
        yield QualityWarning("long-blocks", Severity.WARNING, CAMPAIGN, sentence, {"blocks": float(len(over))})


def rebooted(data: CampaignData) -> Iterator[QualityWarning]:
    """The host was restarted in between: a level of its own, recorded. Boots that were cut count: their trials do."""
    starts = {str(fact.value) for fact in data.facts_of("boot", "host.boot_id")}
    if len(starts) > 1:
        times = "once" if len(starts) == 2 else f"{len(starts) - 1} times"
        sentence = f"the host was rebooted {times} during the campaign"
        yield QualityWarning("host-rebooted", Severity.NOTE, CAMPAIGN, sentence, {"starts": float(len(starts))})


def swap_on(data: CampaignData) -> Iterator[QualityWarning]:
    """Swap lets a limited environment use more than its memory."""
    if campaign_fact(data, "swap.devices") not in (None, 0):
        sentence = "the host has swap: memory limits push pages there instead of failing"
        yield QualityWarning("swap-on", Severity.NOTE, CAMPAIGN, sentence)
