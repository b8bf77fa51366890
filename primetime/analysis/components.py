"""Where the spread of every cell comes from, and how many iterations per boot it advises (intervals/variance.py)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from primetime.analysis.data import CampaignData
from primetime.intervals import advised_iterations, full_boots, split_variance


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
            full = full_boots(boots)
            if not full:
                continue
            of_boots, of_iterations = split_variance(full)
            iteration_s = iteration_cost(data, point, label)
            boot_s = costs.get(label, 0.0)
            advised = advised_iterations(of_boots, of_iterations, boot_s, iteration_s)
            sizes = (len(full), len(full[0]))
            found.append(
                Components(label, point, record.primary, *sizes, of_boots, of_iterations, boot_s, iteration_s, advised)
            )
    return tuple(found)


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
