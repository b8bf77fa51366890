"""When a point, and when a campaign, has been measured enough (contract §8): on width, never on significance."""

from __future__ import annotations

from collections.abc import Set

from primetime.intervals import half_width
from primetime.model import CampaignState, Study
from primetime.store import CampaignFile

BEFORE_BLOCKS = ("flash.preconditioned_bytes", "flash.paced_bytes")  # written by preconditioning, and to pace by
WRITTEN = "boot.disk_written_bytes"  # in a boot
WRITTEN_BEFORE = "boot.disk_written_before_bytes"  # since the boot before it, or since the volume was opened


def stop_reason(campaign: CampaignFile, study: Study, index: int, emulated: Set[str]) -> CampaignState | None:
    """Why no block `index` is planned any more; None when one is."""
    if index > most_blocks(study, emulated):
        return CampaignState.BLOCKS
    if index > 1 and (elapsed_s(campaign) > study.stopping.budget_s or worn_out(campaign, study)):
        return CampaignState.BUDGET
    if not open_points(campaign, study, index, emulated):
        return CampaignState.WIDTH
    return None


def most_blocks(study: Study, emulated: Set[str]) -> int:
    """How many blocks a campaign has at most: one in a smoke run, few where nothing but emulators is measured."""
    if study.smoke:
        return 1
    nothing_real = all(spec.label in emulated for spec in study.environments)
    most = study.stopping.max_blocks
    return min(most, study.stopping.emulated_blocks) if nothing_real else most


def open_points(campaign: CampaignFile, study: Study, index: int, emulated: Set[str]) -> tuple[str, ...]:
    """The points whose interval is still too wide in some environment, in the study's order."""
    if index <= study.stopping.min_blocks:
        return tuple(point.name for point in study.points)
    return tuple(point.name for point in study.points if not narrow_enough(campaign, study, point.name, emulated))


def narrow_enough(campaign: CampaignFile, study: Study, point: str, emulated: Set[str]) -> bool:
    """Whether every environment's half-width at this point is at most the study's (methodology §3)."""
    primary = campaign.primary(point)
    for environment in study.environments:
        if environment.label == study.baseline or environment.label in emulated:
            continue
        ratios = [ratio for _, ratio in campaign.log_ratios(point, primary, environment.label, study.baseline)]
        if len(ratios) < 2:  # skipped everywhere, or failing: more blocks will not narrow it
            continue
        if half_width(ratios) > study.stopping.half_width:
            return False
    return True


def elapsed_s(campaign: CampaignFile) -> float:
    """Measuring time so far, in seconds: the sum over boots, so that a pause costs no budget."""
    found = campaign.rows("SELECT coalesce(sum(t1 - t0), 0) AS seconds FROM boots WHERE t1 IS NOT NULL")
    return float(found[0]["seconds"])


def worn_out(campaign: CampaignFile, study: Study) -> bool:
    """Whether the campaign has written as much to the tested disk as the study allows (contract §6)."""
    most = study.flash.max_bytes_written
    return bool(most) and written_bytes(campaign) >= most


def written_bytes(campaign: CampaignFile) -> int:
    """What the disk has written for this campaign: filling, trying, calibrating and booting, over all its runs.

    A boot that was killed with us is taken for one that wrote the most.
    """
    known = sum(int(fact.value or 0) for fact in campaign.facts("campaign") if fact.name in BEFORE_BLOCKS)
    inside = [int(value) for value in boot_facts(campaign, WRITTEN)]
    outside = [int(value) for value in boot_facts(campaign, WRITTEN_BEFORE)]
    lost = int(campaign.rows("SELECT count(*) AS boots FROM boots")[0]["boots"]) - len(inside)
    counted = sum(inside) + sum(outside) + lost * max(inside, default=0)
    return max(counted, known)  # a disk that counts nothing has at least been written so much


def boot_ids_before(campaign: CampaignFile, index: int) -> set[str]:
    """The starts of the host in which blocks before `index` were measured."""
    found = campaign.rows(
        """SELECT DISTINCT f.value FROM facts f JOIN boots b ON f.scope = 'boot' AND f.scope_id = b.boot
           WHERE f.name = 'host.boot_id' AND b.block < ?""",
        index,
    )
    return {str(row["value"]) for row in found}


def boot_facts(campaign: CampaignFile, name: str) -> list[str]:
    """The values of one fact over all boots."""
    found = campaign.rows("SELECT value FROM facts WHERE scope = 'boot' AND name = ?", name)
    return [str(row["value"]) for row in found]
