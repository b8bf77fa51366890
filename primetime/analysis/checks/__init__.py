"""Quality checks: small pure functions from a campaign's data to warnings. A check is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from primetime.analysis.checks.aa import aa_alarm, aa_few
from primetime.analysis.checks.alike import (
    clocks,
    dirty_limits_differ,
    mounts_differ,
    queues_differ,
    variants,
)
from primetime.analysis.checks.baseline import baseline_beaten
from primetime.analysis.checks.blocks import few_blocks, precision_missed, sequential_stop
from primetime.analysis.checks.cpu import open_bill, outside_limit, shared_sets, strays, unproved_bill
from primetime.analysis.checks.device import device_limit, own_file, unconditioned, worn
from primetime.analysis.checks.exclusions import uneven_exclusions
from primetime.analysis.checks.facts import changed_facts
from primetime.analysis.checks.far_peer import link, peer_busy, peer_unwatched, peer_versions
from primetime.analysis.checks.foreign import not_known, one_run, undrained_writes
from primetime.analysis.checks.instruments import instrument_lost
from primetime.analysis.checks.kernel import kernels_differ, path_differs, tcp_differs
from primetime.analysis.checks.limits import uncapped_vmm, unproved_limits
from primetime.analysis.checks.network import memcpy_network, streams_alone
from primetime.analysis.checks.pace import pace_missed
from primetime.analysis.checks.power import frequency_differs, throttled
from primetime.analysis.checks.series import drifting, two_state_boots, unsteady
from primetime.analysis.checks.standing import emulated, smoke, unusable
from primetime.analysis.checks.storage import cache_modes_mixed, host_cached
from primetime.analysis.checks.tools import miscounted_syncs, tools_differ, untimed_syncs
from primetime.analysis.checks.trials import lost_trials, repeated_trials
from primetime.analysis.checks.window import (
    absorbed_writes,
    foreign_packets,
    long_blocks,
    not_durable,
    others_busy,
    rebooted,
    restless,
    swap_on,
    unclean,
    unseen_visits,
)
from primetime.analysis.data import CampaignData
from primetime.model import QualityWarning, Severity

Check = Callable[[CampaignData], Iterator[QualityWarning]]

CHECKS: tuple[Check, ...] = (
    smoke,
    emulated,
    unusable,
    lost_trials,
    repeated_trials,
    uneven_exclusions,
    few_blocks,
    sequential_stop,
    precision_missed,
    unproved_limits,
    uncapped_vmm,
    host_cached,
    memcpy_network,
    peer_unwatched,
    peer_busy,
    peer_versions,
    link,
    changed_facts,
    shared_sets,
    strays,
    instrument_lost,
    open_bill,
    unproved_bill,
    outside_limit,
    queues_differ,
    mounts_differ,
    dirty_limits_differ,
    cache_modes_mixed,
    kernels_differ,
    tcp_differs,
    path_differs,
    streams_alone,
    variants,
    clocks,
    restless,
    unclean,
    others_busy,
    foreign_packets,
    unseen_visits,
    absorbed_writes,
    not_durable,
    long_blocks,
    rebooted,
    swap_on,
    throttled,
    frequency_differs,
    pace_missed,
    unconditioned,
    unsteady,
    worn,
    own_file,
    device_limit,
    aa_alarm,
    aa_few,
    two_state_boots,
    drifting,
    baseline_beaten,
    untimed_syncs,
    miscounted_syncs,
    tools_differ,
    not_known,
    one_run,
    undrained_writes,
)
ORDER = (Severity.FORBIDS, Severity.WARNING, Severity.NOTE)


def quality_warnings(data: CampaignData) -> tuple[QualityWarning, ...]:
    """Run every check; the gravest warnings come first."""
    return gravest_first([warning for check in CHECKS for warning in check(data)])


def gravest_first(warnings: Iterable[QualityWarning]) -> tuple[QualityWarning, ...]:
    """Return warnings in the order of severity, else as they came."""
    return tuple(sorted(warnings, key=lambda warning: ORDER.index(warning.severity)))
