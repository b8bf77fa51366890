"""What a study will need, predicted from an earlier campaign: blocks per metric, and hours (methodology §1.3, CONFIRM).

After Maricq et al. (OSDI 2018): from what was measured, subsets are drawn without replacement, from 10 blocks upward,
200 of each size, until their interval is narrow enough on average. Where all that was measured is not enough, the
number is extrapolated from the spread and says so. Hours come from how long the earlier boots and windows took.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from primetime.errors import UserError
from primetime.intervals import advised_iterations, blocks_to_width, full_boots, half_width, split_variance
from primetime.model import Role, Study, TrialStatus
from primetime.store import CampaignFile
from primetime.store.query import figure
from primetime.store.trouble import decoding

SMALLEST = 10
DRAWS = 200
SEED = 2018


@dataclass(frozen=True, slots=True)
class Need:
    """Blocks that one primary metric of one environment needs at a point; None: over a thousand.

    `measured`: the pairs that the earlier campaign has; `extrapolated`: they were too few to see it; `iterations`: per
    boot, advised where the earlier campaign had several.
    """

    point: str
    environment: str
    metric: str
    measured: int
    blocks: int | None
    extrapolated: bool
    iterations: int | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """`blocks`: of the whole campaign, as far as its limits let it go; `unknown`: points without two pairs."""

    needs: tuple[Need, ...]
    blocks: int
    seconds: float
    unknown: tuple[str, ...]


def forecast(study: Study, earlier: CampaignFile) -> Forecast:
    """Predict a study from a campaign that shares points and environments with it. UserError when it shares none."""
    known = {row["point"]: row["params"] for row in earlier.points()}
    shared = [point.name for point in study.points if point.name in known]
    needs = [need for point in shared for need in needs_of(study, earlier, point)]
    if not needs:
        raise UserError(
            f"{earlier.path.name} shares no measured point and environment with the study {study.name}",
            "give a campaign of the same points, at least two blocks long",
        )
    by_point = {point: blocks_of(study, [need for need in needs if need.point == point]) for point in shared}
    unknown = [point.name for point in study.points if not by_point.get(point.name)]
    blocks = max(by_point.values())
    return Forecast(tuple(needs), blocks, seconds_of(study, earlier, by_point), tuple(unknown))


def needs_of(study: Study, earlier: CampaignFile, point: str) -> list[Need]:
    """Return what every environment of the study needs at a point."""
    metric = earlier.primary(point)
    found = []
    for spec in study.environments:
        if spec.label == study.baseline:
            continue
        d = [ratio for _, ratio in earlier.log_ratios(point, metric, spec.label, study.baseline)]
        if len(d) > 1:
            seen = confirmed(d, study.stopping.half_width)
            blocks = seen or blocks_to_width(d, study.stopping.half_width)
            advised = iterations_of(earlier, (point, metric), spec.label)
            found.append(Need(point, spec.label, metric, len(d), blocks, seen is None, advised))
    return found


def iterations_of(earlier: CampaignFile, what: tuple[str, str], label: str) -> int | None:
    """Return the iterations per boot that the earlier spread advises; None where it had one per boot."""
    rows = earlier.rows(
        """SELECT trials.boot, measurements.value FROM trials JOIN measurements USING (trial) JOIN boots USING (boot)
           WHERE trials.point = ? AND metric = ? AND trials.environment = ? AND trials.status = ? AND role = ?
           AND value > 0""",
        *(*what, label, TrialStatus.DONE, Role.MAIN),
    )
    by_boot: dict[int, list[float]] = {}
    with decoding(earlier.path):
        for row in rows:
            by_boot.setdefault(row["boot"], []).append(math.log(figure(row["value"])))
    full = full_boots(list(by_boot.values()))
    if not full:
        return None
    boots, windows = seconds_before(earlier)
    return advised_iterations(*split_variance(full), boots.get(label, 0.0), windows.get((label, what[0]), 0.0))


def confirmed(d: Sequence[float], width: float) -> int | None:
    """Return the smallest subset whose half-width is `width` on average over the draws; None where none is."""
    chance = random.Random(SEED)
    for size in range(min(SMALLEST, len(d)), len(d) + 1):
        draws = DRAWS if size < len(d) else 1
        if fmean(half_width(chance.sample(d, size)) for _ in range(draws)) <= width:
            return size
    return None


def blocks_of(study: Study, needs: Sequence[Need]) -> int:
    """Return the blocks of a point: the most that any environment needs, within the study's least and most."""
    if not needs:
        return 0
    stopping = study.stopping
    wanted = max(stopping.max_blocks if need.blocks is None else need.blocks for need in needs)
    return min(stopping.max_blocks, max(stopping.min_blocks, wanted))


def seconds_of(study: Study, earlier: CampaignFile, blocks: dict[str, int]) -> float:
    """Return the time of all blocks: boots as long as before, and the windows of the points still open."""
    places = [spec.label for spec in study.environments]
    places += [study.baseline] if study.stopping.aa else []
    boots, windows = seconds_before(earlier)
    total = 0.0
    for label in places:
        own = {point: windows.get((label, point), 0.0) for point in blocks}
        total += sum(count * own[point] * study.stopping.iterations for point, count in blocks.items())
        total += max(blocks.values()) * boots.get(label, 0.0)
    return total


def seconds_before(earlier: CampaignFile) -> tuple[dict[str, float], dict[tuple[str, str], float]]:
    """Return (what a boot took beside its windows by environment, a window by environment and point), as medians."""
    windows: dict[tuple[str, str], list[float]] = {}
    inside: dict[int, float] = {}
    boots: dict[str, list[float]] = {}
    with decoding(earlier.path):
        for row in earlier.trials():
            if row["status"] == TrialStatus.DONE and row["duration_s"] is not None:
                seconds = figure(row["duration_s"])
                windows.setdefault((row["environment"], row["point"]), []).append(seconds)
                inside[row["boot"]] = inside.get(row["boot"], 0.0) + seconds
        for row in earlier.boots():
            if row["boot"] in inside and row["t1"] is not None:
                spent = figure(row["t1"]) - figure(row["t0"]) - inside[row["boot"]]
                boots.setdefault(row["environment"], []).append(max(0.0, spent))
    return (
        {label: median(seconds) for label, seconds in boots.items()},
        {cell: median(seconds) for cell, seconds in windows.items()},
    )
