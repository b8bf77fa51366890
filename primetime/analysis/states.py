"""Two states: boots of one environment that fall into two groups have no single number (methodology §4, step 8).

An environment is held to have two states where the dip of its boots' logarithms says so, after Benjamini and
Hochberg's adjustment over all cells of the campaign; the cut is where the two groups are tightest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from primetime.analysis.data import CampaignData
from primetime.analysis.dip import FEWEST, p_value
from primetime.intervals import ALPHA, benjamini_hochberg
from primetime.model import State

Cell = tuple[str, str]  # point, environment


def two_states(data: CampaignData) -> Mapping[Cell, tuple[State, State]]:
    """Return the states, the lower first, of every cell whose primary metric has two."""
    values = {
        (point, label): figures
        for point, record in data.points.items()
        for label in data.environments
        if len(figures := positive(data, point, label, record.primary)) >= FEWEST
    }
    p_values = [p_value(list(map(math.log, figures))) for figures in values.values()]
    adjusted = benjamini_hochberg(p_values)
    return {
        cell: split(figures)
        for (cell, figures), q in zip(values.items(), adjusted, strict=True)
        if q <= ALPHA and len(set(figures)) > 1
    }


def positive(data: CampaignData, point: str, environment: str, metric: str) -> list[float]:
    """Return the boots' figures that have a logarithm."""
    done = data.done(point, environment)
    return [trial.values[metric] for trial in done if trial.values.get(metric, 0.0) > 0]


def split(values: Sequence[float]) -> tuple[State, State]:
    """Return the two groups of least spread within them (on the log scale), as geometric means with their boots."""
    logs = np.sort(np.log(np.asarray(values)))
    counts = np.arange(1, len(logs))
    sums, squares = np.cumsum(logs), np.cumsum(logs**2)
    left = squares[:-1] - sums[:-1] ** 2 / counts
    right = (squares[-1] - squares[:-1]) - (sums[-1] - sums[:-1]) ** 2 / (len(logs) - counts)
    cut = int((left + right).argmin()) + 1
    low, high = logs[:cut], logs[cut:]
    return State(float(np.exp(low.mean())), len(low)), State(float(np.exp(high.mean())), len(high))
