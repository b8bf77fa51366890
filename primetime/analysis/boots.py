"""What was measured once per boot: time to ready and footprint (contract §9)."""

from __future__ import annotations

from dataclasses import dataclass

from primetime.analysis.data import CampaignData
from primetime.model import BootStatus, Direction, Metric, MetricKind, Role

READY = Metric("ready", "s", Direction.LOWER, MetricKind.COST)
FOOTPRINT = Metric("footprint", "B", Direction.LOWER, MetricKind.COST)
FACTS = {"boot.ready_s": READY, "boot.footprint_bytes": FOOTPRINT}


@dataclass(frozen=True, slots=True)
class Dot:
    """One boot's figure."""

    block: int
    boot: int
    value: float


def boot_figures(data: CampaignData) -> dict[Metric, dict[str, tuple[Dot, ...]]]:
    """Return the figures of boots that ended well, by metric and environment, in the order of boots."""
    boots = {str(boot.boot): boot for boot in data.boots if boot.status is BootStatus.DONE and boot.role is Role.MAIN}
    found: dict[Metric, dict[str, list[Dot]]] = {}
    for fact in data.facts:
        boot = boots.get(fact.scope_id) if fact.scope == "boot" else None
        if boot is None or fact.name not in FACTS or not isinstance(fact.value, int | float):
            continue
        dots = found.setdefault(FACTS[fact.name], {}).setdefault(boot.environment, [])
        dots.append(Dot(boot.block, boot.boot, float(fact.value)))
    return {metric: {label: tuple(dots) for label, dots in by.items()} for metric, by in found.items()}


def point_figures(data: CampaignData, point: str, metric: str) -> dict[str, tuple[Dot, ...]]:
    """Return one metric of a point by environment, a dot per finished trial (and so per boot), in block order."""
    found = {
        label: tuple(
            Dot(trial.block, trial.boot or 0, trial.values[metric])
            for trial in data.done(point, label)
            if metric in trial.values
        )
        for label in data.environments
    }
    return {label: dots for label, dots in found.items() if dots}
