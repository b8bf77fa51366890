"""Quality checks: small pure functions from a campaign's data to warnings. A check is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from primetime.analysis.checks.aa import aa_alarm, aa_few
from primetime.analysis.checks.alike import (
    cache_modes_mixed,
    clocks,
    dirty_limits_differ,
    kernels_differ,
    queues_differ,
    tcp_differs,
    variants,
)
from primetime.analysis.checks.baseline import baseline_beaten
from primetime.analysis.checks.blocks import few_blocks, sequential_stop
from primetime.analysis.checks.cpu import open_bill, outside_limit, shared_sets, strays
from primetime.analysis.checks.device import device_limit, unconditioned, worn
from primetime.analysis.checks.facts import changed_facts
from primetime.analysis.checks.foreign import not_known, one_run, undrained_writes
from primetime.analysis.checks.limits import uncapped_vmm, unproved_limits
from primetime.analysis.checks.network import memcpy_network
from primetime.analysis.checks.power import throttled
from primetime.analysis.checks.series import drifting, two_state_boots, unsteady
from primetime.analysis.checks.standing import emulated, smoke, unusable
from primetime.analysis.checks.storage import host_cached
from primetime.analysis.checks.tools import miscounted_syncs, tools_differ, untimed_syncs
from primetime.analysis.checks.trials import lost_trials, repeated_trials
from primetime.analysis.checks.window import (
    absorbed_writes,
    foreign_packets,
    long_blocks,
    not_durable,
    rebooted,
    restless,
    swap_on,
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
    few_blocks,
    sequential_stop,
    unproved_limits,
    uncapped_vmm,
    host_cached,
    memcpy_network,
    changed_facts,
    shared_sets,
    strays,
    open_bill,
    outside_limit,
    queues_differ,
    dirty_limits_differ,
    cache_modes_mixed,
    kernels_differ,
    tcp_differs,
    variants,
    clocks,
    restless,
    foreign_packets,
    absorbed_writes,
    not_durable,
    long_blocks,
    rebooted,
    swap_on,
    throttled,
    unconditioned,
    worn,
    device_limit,
    aa_alarm,
    aa_few,
    two_state_boots,
    unsteady,
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
