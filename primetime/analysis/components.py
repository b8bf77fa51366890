"""Where the spread comes from: between boots, or between iterations inside one (Kalibera & Jones 2013, corrected).

With r iterations in each of n boots: S_1² is the mean variance inside boots, S_2² the variance of the boots' means;
T_1² = S_1² and T_2² = S_2² - S_1²/r are what iterations and boots themselves add. With costs c_1 of an iteration and
c_2 of a boot, ⌈√(c_2/c_1 · T_1²/T_2²)⌉ iterations per boot give most for the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, variance

from primetime.analysis.data import CampaignData

MOST_ADVISED = 100


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of ln figures. `advised`: iterations per boot; None where boots add nothing that could be seen."""

    environment: str
    point: str
    metric: str
    boots: int
    iterations: int
    boot_variance: float  # T_2², 0 where iterations explain all
    iteration_variance: float  # T_1²
    boot_s: float  # cost of one more boot, without its trials
    iteration_s: float
    advised: int | None


def components(data: CampaignData) -> tuple[Components, ...]:
    """Return the components of every cell that has several iterations per boot, primary metrics only."""
    costs = boot_costs(data)
    found = []
    for point, record in data.points.items():
        for label in data.environments:
            boots = [
                [math.log(trial.values[record.primary]) for trial in boot if trial.values.get(record.primary, 0.0) > 0]
                for boot in data.iterations(point, label)
            ]
            full = [boot for boot in boots if len(boot) == max(map(len, boots))]
            if len(full) < 2 or len(full[0]) < 2:
                continue
            of_boots, of_iterations = split_variance(full)
            iteration_s = iteration_cost(data, point, label)
            boot_s = costs.get(label, 0.0)
            advised = advice(of_boots, of_iterations, boot_s, iteration_s)
            sizes = (len(full), len(full[0]))
            found.append(
                Components(label, point, record.primary, *sizes, of_boots, of_iterations, boot_s, iteration_s, advised)
            )
    return tuple(found)


def split_variance(boots: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return (T_2², T_1²) of boots with equally many values; T_2² is 0 where it would be negative."""
    within = fmean(variance(boot) for boot in boots)
    between = variance([fmean(boot) for boot in boots])
    return max(0.0, between - within / len(boots[0])), within


def advice(of_boots: float, of_iterations: float, boot_s: float, iteration_s: float) -> int | None:
    """Return the iterations per boot that give most for the time; None where boots do not differ."""
    if of_boots <= 0 or iteration_s <= 0:
        return None
    return min(MOST_ADVISED, max(1, math.ceil(math.sqrt(boot_s / iteration_s * of_iterations / of_boots))))


def boot_costs(data: CampaignData) -> dict[str, float]:
    """Return what a boot of each environment took beside its trials, in seconds (median)."""
    inside: dict[int, float] = {}
    for trial in data.trials:
        if trial.boot is not None:
            inside[trial.boot] = inside.get(trial.boot, 0.0) + (trial.duration_s or 0.0)
    spent: dict[str, list[float]] = {}
    for boot in data.boots:
        if boot.t1 is not None:
            spent.setdefault(boot.environment, []).append(boot.t1 - boot.t0 - inside.get(boot.boot, 0.0))
    return {label: max(0.0, median(seconds)) for label, seconds in spent.items()}


def iteration_cost(data: CampaignData, point: str, environment: str) -> float:
    """Return what one trial took, in seconds (median of its windows)."""
    seconds = [trial.duration_s or 0.0 for boot in data.iterations(point, environment) for trial in boot]
    return median(seconds) if seconds else 0.0
