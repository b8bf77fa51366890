"""The tables of a study file that the measurement contract asks for: limits, volume, CPUs, network, flash, blocks."""

from __future__ import annotations

import re
from pathlib import Path

from primetime.campaign.study_table import Table
from primetime.errors import UserError
from primetime.host.knobs import knob, knob_names
from primetime.host.volume import OWN_DIRECTORY
from primetime.model import FlashSpec, LimitSpec, Scalar, Stopping, VolumeSpec

DEFAULT_VOLUME = str(OWN_DIRECTORY)
MODES = ("image", "partition")
BUDGETS = ("guest", "total")
NAMESPACE = "namespace"
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::([0-9]{1,5}))?")
LAST_PORT = 65535
CPU_SETS = ("environment", "peer", "observer", "kernel")
MIN_BLOCKS, QUICK_BLOCKS, MAX_BLOCKS = 10, 5, 40
MOST_BLOCKS = 1000
DEFAULT_BUDGET_S = 7 * 86400.0
MOST_ITERATIONS = 100
PRECISIONS = ("default", "quick", "publication")
HALF_WIDTHS = {"quick": 0.05, "default": 0.03, "publication": 0.02}  # methodology §3
RULES = ("busy", "packets")
DISCARDS = ("never", "before-boot")
NETWORK_PATHS = ("bridge+nat", "routed", "l2bridge")
DIRTY_LIMITS: dict[str, Scalar] = {"dirty_bytes": 64 * 2**20, "dirty_background_bytes": 32 * 2**20}


def read_limits(table: Table) -> LimitSpec:
    """[limits]: cpus, memory, budget, host_cache."""
    limits = LimitSpec(
        cpus=table.whole("cpus", 0, least=0),
        memory_bytes=table.size("memory", 512 * 2**20, least=128 * 2**20),
        budget=table.choice("budget", BUDGETS),
        host_cache_bytes=table.size("host_cache", 64 * 2**20),
    )
    table.finish()
    return limits


def read_volume(table: Table) -> VolumeSpec:
    """[volume]: mode, path, size, erase, discard."""
    volume = VolumeSpec(
        mode=table.choice("mode", MODES),
        path=table.word("path", DEFAULT_VOLUME),
        size_bytes=table.size("size", 2**30, least=64 * 2**20),
        erase=table.flag("erase", False),
        discard=table.choice("discard", DISCARDS),
    )
    if not Path(volume.path).is_absolute():
        raise table.mistake("path", f"{volume.path!r} is not an absolute path", "begin it with /")
    if volume.mode == "image" and volume.discard != "never":
        raise table.mistake("discard", "an image stays fully written", 'leave it out, or set mode = "partition"')
    table.finish()
    return volume


def read_stopping(table: Table, quick: bool) -> Stopping:
    """[blocks]: min, max, precision or half_width, budget, aa, reboot_every, iterations, emulated."""
    least = table.whole("min", QUICK_BLOCKS if quick else MIN_BLOCKS, 1, MOST_BLOCKS)
    most = table.whole("max", QUICK_BLOCKS if quick else MAX_BLOCKS, 1, MOST_BLOCKS)
    if most < least:
        raise table.mistake("max", f"{most} is less than blocks.min = {least}", "raise max or lower min")
    precision = table.choice("precision", ("quick", "default", "publication") if quick else PRECISIONS)
    width = table.number("half_width", HALF_WIDTHS[precision])
    if width >= 1:
        raise table.mistake("half_width", f"must be below 1, not {width:g}", "write 0.03 for 3 %")
    budget = table.duration("budget", DEFAULT_BUDGET_S)
    if budget == 0:
        raise table.mistake("budget", "leaves no time for any block", "give it a time, or leave it out: 7 days")
    stopping = Stopping(
        min_blocks=least,
        max_blocks=most,
        half_width=width,
        budget_s=budget,
        aa=table.flag("aa", not quick),
        reboot_every=table.whole("reboot_every", 0, 0, MOST_BLOCKS),
        iterations=table.whole("iterations", 1, 1, MOST_ITERATIONS),
        emulated_blocks=table.whole("emulated", 1, 1, MOST_BLOCKS),
    )
    table.finish()
    return stopping


def read_network(table: Table) -> tuple[str, str]:
    """[network]: peer ("namespace", a far machine's host or host:port, or "" for none), and path."""
    peer = table.word("peer", NAMESPACE)
    path = table.choice("path", NETWORK_PATHS)
    table.finish()
    found = HOST.fullmatch(peer)
    if peer and (found is None or int(found[2] or 1) not in range(1, LAST_PORT + 1)):
        raise table.mistake("peer", f"{peer!r} is no host or host:port", f'write peer = "{NAMESPACE}"')
    return peer, path


def read_flash(table: Table, quick: bool) -> FlashSpec:
    """[flash]: precondition, max_bytes_written, idle_after_write."""
    flash = FlashSpec(
        precondition=table.flag("precondition", not quick),
        max_bytes_written=table.size("max_bytes_written", 0),
        idle_after_write_s=table.duration("idle_after_write", 0.0),
    )
    table.finish()
    return flash


def read_tuning(table: Table) -> dict[str, Scalar]:
    """[tuning]: a value per knob. Dirty limits are absolute unless the study says otherwise (contract §2)."""
    values = table.rest()
    for name, value in values.items():
        if name not in knob_names():
            raise table.mistake(name, "there is no such knob", f"known knobs: {', '.join(knob_names())}")
        try:
            knob(name).check(value)
        except UserError as error:
            raise UserError(f"{table.file}: {error.message}", error.hint) from None
    return {**DIRTY_LIMITS, **values}


def read_exclusions(table: Table) -> dict[str, float]:
    """[exclude]: busy (share of all CPUs before a boot), packets (a second on the control interface).

    A trial that breaks one is left out with the reason, in every environment alike. Never by its figure.
    """
    found = {rule: table.number(rule, 0.0) for rule in RULES if rule in table.keys()}
    table.finish()
    if found.get("busy", 0.0) > 1:
        words = f"is a share of all CPUs, at most 1, not {found['busy']:g}"
        raise table.mistake("busy", words, "write 0.5 for half of them")
    return found


def read_cpu_sets(table: Table) -> dict[str, tuple[int, ...]]:
    """[cpu]: CPU numbers by set."""
    found = {name: table.cpus(name) for name in CPU_SETS if name in table.keys()}
    table.finish()
    return found
