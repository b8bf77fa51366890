"""Point groups (contract §8): a block over all environments takes at most 45 minutes, so many points are split."""

from __future__ import annotations

from dataclasses import replace

from primetime.campaign.estimate import BOOT_S, GUEST_BOOT_S, LAYOUT_RATE, PLANNED_SITE, TRIAL_S
from primetime.campaign.study_power import boot_seconds
from primetime.model import Point, Study
from primetime.workloads import workload

BLOCK_LIMIT_S = 45 * 60.0


def grouped(study: Study) -> Study:
    """Return the study with its points in as few groups, in order, as keep each block within the limit."""
    places = len(study.environments) + int(study.stopping.aa)
    around = study.pace.settle_s + boot_seconds(study.power)
    boots = sum(BOOT_S.get(spec.kind, GUEST_BOOT_S) for spec in study.environments) + places * around
    points: list[Point] = []
    group, seconds = 0, boots
    for point in study.points:
        own = places * study.stopping.iterations * point_seconds(point)
        if points and seconds + own > BLOCK_LIMIT_S and seconds > boots:
            group, seconds = group + 1, boots
        points.append(replace(point, group=group))
        seconds += own
    return replace(study, points=tuple(points))


def point_seconds(point: Point) -> float:
    """What one trial of a point takes in one boot, its layout included."""
    recipe = workload(point.workload).recipe(point, PLANNED_SITE)
    return recipe.duration_s + TRIAL_S + recipe.layout_bytes / LAYOUT_RATE
