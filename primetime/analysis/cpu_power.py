"""Does power follow CPU? A line per boot over load levels, then a t interval over the boots' slopes (methodology §5).

Samples inside a boot are no replicates: one point per boot and level, one slope per boot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from primetime.analysis.energy import Energy
from primetime.analysis.power import Metered, Power
from primetime.intervals import ALPHA, equivalence_p, log_ratio_interval, log_ratios
from primetime.intervals.student_t import quantile, tail
from primetime.model import Interval

LEVELS = 3  # the fewest that make a line with something left over
SPREAD = 0.3  # CPUs between the lowest and the highest level, at least


@dataclass(frozen=True, slots=True)
class Mean:
    """An arithmetic mean with its two-sided 95 % t interval; no interval from one value."""

    value: float
    half: float | None

    @property
    def low(self) -> float:
        return self.value - (self.half or 0.0)

    @property
    def high(self) -> float:
        return self.value + (self.half or 0.0)


@dataclass(frozen=True, slots=True)
class Fit:
    """One boot's line: W per busy CPU, W at none, standard deviation of what is left, and the bend (W per CPU²)."""

    boot: int
    block: int
    slope: float
    intercept: float
    residual: float
    bend: float | None
    bend_p: float | None
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """An environment's line over its boots. `idle_w`: the bare host's measured idle; `same`: against the baseline's
    slope: ratio with interval, and p of "not within the margin"."""

    environment: str
    fits: tuple[Fit, ...]
    slope: Mean
    intercept: Mean
    residual: float
    bends: bool
    idle_w: float | None
    same: tuple[Interval, float] | None


def lines(power: Power, blocks: dict[int, int], ladder: frozenset[str], base: tuple[str, float]) -> tuple[Line, ...]:
    """Return a line per environment that has one. `blocks`: by boot; `ladder`: points; `base`: baseline, margin."""
    fits: dict[str, list[Fit]] = {}
    of_boot: dict[int, list[Metered]] = {}
    for one in power.trials:
        if one.point in ladder:
            of_boot.setdefault(one.boot, []).append(one)
    for boot, block in blocks.items():
        mine = of_boot.get(boot, [])
        points = [
            (one.busy, one.energy.watts) for one in mine if isinstance(one.energy, Energy) and one.busy is not None
        ]
        if len(points) >= LEVELS and max(points)[0] - min(points)[0] >= SPREAD:
            fits.setdefault(mine[0].environment, []).append(fitted(boot, block, points))
    slopes = {label: {one.block: one.slope for one in those} for label, those in fits.items()}
    return tuple(
        Line(
            environment=label,
            fits=tuple(those),
            slope=mean([one.slope for one in those]),
            intercept=mean([one.intercept for one in those]),
            residual=math.sqrt(fmean(one.residual**2 for one in those)),
            bends=bent(those),
            idle_w=idle(power, label),
            same=same_slope(slopes, label, base),
        )
        for label, those in fits.items()
    )


def fitted(boot: int, block: int, points: Sequence[tuple[float, float]]) -> Fit:
    """Return the least-squares line of one boot, and the bend that a parabola would add."""
    slope, intercept, left = straight(points)
    freedom = len(points) - 2
    residual = math.sqrt(math.fsum(one * one for one in left) / freedom)
    bend, p = bend_of(points)
    return Fit(boot, block, slope, intercept, residual, bend, p, tuple(points))


def straight(points: Sequence[tuple[float, float]]) -> tuple[float, float, list[float]]:
    """Return slope, intercept and residuals."""
    mean_u, mean_w = fmean(u for u, _ in points), fmean(w for _, w in points)
    sxx = math.fsum((u - mean_u) ** 2 for u, _ in points)
    slope = math.fsum((u - mean_u) * (w - mean_w) for u, w in points) / sxx
    intercept = mean_w - slope * mean_u
    return slope, intercept, [w - intercept - slope * u for u, w in points]


def bend_of(points: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """Return the coefficient of u² and the p of "none"; None with less than four levels.

    What u² has beside a line is regressed on what power has beside its line (Frisch and Waugh).
    """
    if len(points) < LEVELS + 1:
        return None, None
    _, _, power_left = straight(points)
    _, _, square_left = straight([(u, u * u) for u, _ in points])
    sxx = math.fsum(one * one for one in square_left)
    if sxx <= 0:
        return None, None
    bend = math.fsum(x * y for x, y in zip(square_left, power_left, strict=True)) / sxx
    left = math.fsum((y - bend * x) ** 2 for x, y in zip(square_left, power_left, strict=True))
    freedom = len(points) - 3
    error = math.sqrt(left / freedom / sxx)
    return bend, min(1.0, 2 * tail(abs(bend) / error, freedom)) if error else 0.0


def mean(values: Sequence[float]) -> Mean:
    """Return the mean over boots with its t interval."""
    centre, count = fmean(values), len(values)
    if count < 2:
        return Mean(centre, None)
    spread = math.sqrt(math.fsum((one - centre) ** 2 for one in values) / (count - 1))
    return Mean(centre, quantile(1 - ALPHA / 2, count - 1) * spread / math.sqrt(count))


def bent(fits: Sequence[Fit]) -> bool:
    """Whether the bends of several boots are not zero: a t test over boots, as for everything else."""
    bends = [one.bend for one in fits if one.bend is not None]
    if len(bends) < 2:
        return False
    found = mean(bends)
    return abs(found.value) > (found.half or 0.0)


def idle(power: Power, environment: str) -> float | None:
    """The bare host's idle power in the boots of an environment."""
    watts = [
        one.energy.watts
        for one in power.idles
        if one.environment == environment and one.phase == "idle-host" and isinstance(one.energy, Energy)
    ]
    return fmean(watts) if watts else None


def same_slope(
    slopes: dict[str, dict[int, float]], label: str, base: tuple[str, float]
) -> tuple[Interval, float] | None:
    """Return the slopes' ratio to the baseline's by block, and the equivalence test's p; None for too few blocks."""
    baseline, margin = base
    if label == baseline or baseline not in slopes:
        return None
    d = list(log_ratios(slopes[label], slopes[baseline]).values())
    return (log_ratio_interval(d), equivalence_p(d, margin)) if len(d) > 1 else None


def left_out_error(these: Sequence[Line], label: str) -> float | None:
    """Return the rms error in W of predicting one environment's points by the line through all the others'."""
    others = [point for line in these if line.environment != label for fit in line.fits for point in fit.points]
    own = [point for line in these if line.environment == label for fit in line.fits for point in fit.points]
    if len(others) < LEVELS or not own:
        return None
    slope, intercept, _ = straight(others)
    return math.sqrt(fmean((w - intercept - slope * u) ** 2 for u, w in own))
