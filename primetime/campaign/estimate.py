"""What a study will cost: trials, time, gigabytes written, space. Before anything runs, so from constants."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from primetime.campaign.study_power import boot_seconds
from primetime.environments import environment, environment_class
from primetime.environments.base import Storage
from primetime.host.thin_pool import METADATA_BYTES
from primetime.model import EnvironmentSpec, Estimate, Point, PowerSpec, Recipe, Site, Study
from primetime.workloads import workload
from primetime.workloads.pacing import share_of

BOOT_S = {"native": 0.5, "runc": 0.6, "gvisor": 1.0}  # start and stop, without the study's settling
GUEST_BOOT_S = 5.0
EMULATED_BOOT_S = 25.0
TRIAL_S = 1.2  # flush, warm-up, drain and commit around a window
EMULATED_TRIAL_S = 6.0
LAYOUT_RATE = 100e6  # bytes per second
USERLAND_BYTES = 300 * 2**20  # its files on an ext4 of their own, rounded up
CALIBRATION_S = 2.0  # of writing as fast as the device takes it, for its own limit
PLANNED_SITE = Site(data_dir="/data", logical_block=512, peer="peer")


def estimate_study(
    study: Study, one_block: Set[str], site: Site = PLANNED_SITE, left_out: Set[str] = frozenset()
) -> Estimate:
    """Estimate the most that a study can take: all its blocks, no point retired early, no boot repeated.

    `left_out`: labels of environments that cannot be used here. blocks.budget bounds the time only: how many blocks
    it lets begin depends on how fast the device is.
    """
    site = replace(site, smoke=study.smoke)
    blocks = 1 if study.smoke else study.stopping.max_blocks
    used = [spec for spec in study.environments if spec.label not in left_out]
    few = min(blocks, study.stopping.emulated_blocks)
    trials, first_s, later_s, few_s = 0, 0.0, 0.0, 0.0  # seconds: of block 1; of each one after it; of few more
    again = study.stopping.aa and not study.smoke  # the baseline's A/A slot
    baseline = [spec for spec in used if again and spec.label == study.baseline]
    written = prepared_bytes(study, used)
    for spec in (*used, *baseline):
        once = spec.label in one_block
        boot_trials, boot_seconds, boot_written = boot_cost(study, spec, once, site)
        trials += boot_trials * (few if once else blocks)
        written += boot_written * (few if once else blocks)
        few_s += boot_seconds * (few - 1) if once else 0.0
        first_s += boot_seconds
        later_s += 0.0 if once else boot_seconds
    pacing_s, pacing_written = pacing_cost(study, one_block, site)
    first_s, written = first_s + pacing_s, written + pacing_written
    budget_s = max(first_s, study.stopping.budget_s + later_s)  # a block that began before its end is finished
    seconds = preconditioning_s(study) + min(first_s + few_s + (blocks - 1) * later_s, budget_s)
    size = study.volume.size_bytes
    pool = max((pool_bytes(spec) for spec in used), default=0) if study.volume.mode == "image" else 0
    return Estimate(trials, seconds, written, size * (2 if has_region(study, used) else 1) + pool)


def prepared_bytes(study: Study, used: Sequence[EnvironmentSpec]) -> int:
    """Bytes written before block 1: the region, preconditioning, the device's limit, a boot of each to try it."""
    size = study.volume.size_bytes
    fills = 1 if has_region(study, used) or study.flash.precondition else 0
    overwrites = 1 if study.flash.precondition else 0
    tried = sum(made_bytes(study, spec) for spec in used)
    return (fills + overwrites) * size + round(CALIBRATION_S * LAYOUT_RATE) + tried


def preconditioning_s(study: Study) -> float:
    """Seconds of filling the region and overwriting it, before the blocks and outside their budget."""
    return 2 * study.volume.size_bytes / LAYOUT_RATE if study.flash.precondition else 0.0


def has_region(study: Study, used: Sequence[EnvironmentSpec]) -> bool:
    """Whether there is a file or device that is written in full, beside what directories take of the file system."""
    disk = any(environment_class(spec.kind).storage is Storage.DISK for spec in used)
    return disk or study.volume.mode == "partition"


def made_bytes(study: Study, spec: EnvironmentSpec) -> int:
    """Bytes that a boot writes before its first trial: a file system where it gets a fresh one, and its userland."""
    fresh = environment_class(spec.kind).storage is Storage.DISK or study.volume.mode == "partition"
    copied = USERLAND_BYTES if pool_bytes(spec) else 0
    return (format_bytes(study.volume.size_bytes) if fresh else 0) + copied


def pool_bytes(spec: EnvironmentSpec) -> int:
    """Size of the pool that an environment makes on the volume, with its metadata; 0 without one."""
    size = environment(spec).pool_bytes()
    return size + METADATA_BYTES if size else 0


def pacing_cost(study: Study, one_block: Set[str], site: Site) -> tuple[float, int]:
    """Seconds and bytes of the baseline's boot that shows what points at a part of its rate must keep to."""
    points = tuple(point for point in study.points if share_of(point) is not None)
    baseline = next((spec for spec in study.environments if spec.label == study.baseline), None)
    if not points or baseline is None:
        return 0.0, 0
    once = replace(study.stopping, iterations=1)
    alone = replace(study, points=points, stopping=once, power=PowerSpec())
    _, seconds, written = boot_cost(alone, baseline, baseline.label in one_block, site)
    return seconds, written


def boots_s(study: Study, emulated: Set[str]) -> float:
    """Seconds that booting every environment once takes by these constants: a yardstick for a slow device."""
    return sum(own_boot_s(spec, spec.label in emulated) for spec in study.environments)


def own_boot_s(spec: EnvironmentSpec, emulated: bool) -> float:
    """Seconds to start and stop one environment."""
    return EMULATED_BOOT_S if emulated else BOOT_S.get(spec.kind, GUEST_BOOT_S)


def boot_cost(study: Study, spec: EnvironmentSpec, emulated: bool, site: Site) -> tuple[int, float, int]:
    """Trials, seconds and bytes of one block's boots of one environment."""
    again = 1 if study.smoke else study.stopping.iterations
    recipes = [(point, workload(point.workload).recipe(point, site)) for point in study.points]
    groups = {point.group for point in study.points}
    own = own_boot_s(spec, emulated)
    seconds = len(groups) * (own + study.pace.settle_s + boot_seconds(study.power))
    per_trial = EMULATED_TRIAL_S if emulated else TRIAL_S
    seconds += again * sum(recipe.duration_s + per_trial for _, recipe in recipes)
    layout = layout_bytes(recipes)
    written = layout + again * sum(recipe.bytes_written for _, recipe in recipes)
    written += len(groups) * made_bytes(study, spec)
    return again * len(recipes), seconds + layout / LAYOUT_RATE, written


def format_bytes(size: int) -> int:
    """Bytes that mkfs.ext4 writes at every boot, rounded up from what mke2fs 1.47 wrote with our options."""
    return round(size * (0.10 if size < 512 * 2**20 else 0.05))


def layout_bytes(recipes: list[tuple[Point, Recipe]]) -> int:
    """Bytes of the files that are laid out: equal files of one group once."""
    return sum({(point.group, recipe.layout_key): recipe.layout_bytes for point, recipe in recipes}.values())
