"""Where a power meter's clock and filter stand against the host's: cross-correlation of CPU load and power.

The host makes load pulses; the meter shows them late and smoothed. The model is a first-order filter with time
constant tau behind an offset: power(t) = a + b · filtered(load, tau)(t + offset). Offset and tau are those with the
highest correlation; what the fit leaves gives the offset's standard error. Standard library only.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

Sample = tuple[float, float]  # seconds, value
GRID_S = 0.02
COARSE_S = 0.2
TAUS = (0.0, 1.0, 3.0, 6.0)
SEARCH_S = 10.0
FEWEST = 12
LEAST_CORRELATION = 0.8  # below it the meter did not follow the pulses
EDGES = 4  # of two pulses
FINE_S = 0.002
EQUALLY_WELL = 1e-4
STEPS = (0.2, 0.05, 0.02, 0.005)


@dataclass(frozen=True, slots=True)
class Alignment:
    """Host time = meter time + offset_s. `lag_s`: the filter's time constant; `residual_s`: standard error."""

    offset_s: float
    lag_s: float
    residual_s: float
    correlation: float


def pulse_spans(pulse_s: float, interval_s: float) -> tuple[float, ...]:
    """Return how long idle, full, idle, full and idle last, in seconds, for a meter that samples every `interval_s`.

    Each is a quarter of an interval longer than a multiple of it, so that the four edges fall at four different
    places between samples: otherwise all of them would leave the same doubt.
    """
    return (pulse_s, *(pulse_s + interval_s / EDGES,) * EDGES)


def align(load: Sequence[Sample], power: Sequence[Sample]) -> Alignment | None:
    """Return how a meter stands to the host; None where it did not follow the load.

    `load`: (host s, cumulative busy CPU s) around the pulses; `power`: (meter s, W), on any clock that is within
    ten seconds of the host's.
    """
    if len(load) < FEWEST or len(power) < FEWEST:
        return None
    start, use = utilisation(load)
    best = max(
        (correlation(power, start, filtered(use, tau), offset), tau, offset)
        for tau in TAUS
        for offset in spaced(-SEARCH_S, SEARCH_S, COARSE_S)
    )
    for step in STEPS:
        best = climbed(power, (start, use), best, step)
    doubt = 0.0
    if best[1] < (power[-1][0] - power[0][0]) / (len(power) - 1):
        best, doubt = sharp(power, (start, use), best[2])
    r, tau, offset = best
    if r < LEAST_CORRELATION:
        return None
    error = max(offset_error(power, start, filtered(use, tau), offset), doubt)
    return Alignment(offset, tau, error, r)


def sharp(
    power: Sequence[Sample], load: tuple[float, Sequence[float]], near: float
) -> tuple[tuple[float, float, float], float]:
    """Return (correlation, 0, offset) without a filter, for one that is faster than the samples cannot be seen.

    Between samples an edge may lie anywhere: the offset is the middle of those that explain the samples equally well,
    and its doubt, returned beside it, what a uniform distribution over them has.
    """
    tried = [(correlation(power, *load, near + step * FINE_S), near + step * FINE_S) for step in range(-100, 101)]
    top = max(tried)[0]
    good = [offset for r, offset in tried if r > top - EQUALLY_WELL]
    return (top, 0.0, fmean(good)), (max(good) - min(good)) / math.sqrt(12.0)


def climbed(
    power: Sequence[Sample], load: tuple[float, Sequence[float]], best: tuple[float, float, float], step: float
) -> tuple[float, float, float]:
    """Climb from (correlation, tau, offset) in steps of `step` seconds until no neighbour is better."""
    start, use = load
    cache: dict[float, list[float]] = {}
    while True:
        _, tau, offset = best
        around = [
            (correlation(power, start, cache.setdefault(t, filtered(use, t)), offset + d * step), t, offset + d * step)
            for t in {max(0.0, round(tau + d * step, 6)) for d in (-1, 0, 1)}
            for d in (-1, 0, 1)
        ]
        top = max(around)
        if top[0] <= best[0] + 1e-12:
            return best
        best = top


def utilisation(load: Sequence[Sample]) -> tuple[float, list[float]]:
    """Return the start and the busy CPUs in steps of GRID_S, from a cumulative series."""
    start, end = load[0][0], load[-1][0]
    count = int((end - start) / GRID_S)
    marks = [interpolated(load, start + index * GRID_S) for index in range(count + 1)]
    return start, [(after - before) / GRID_S for before, after in pairwise(marks)]


def interpolated(series: Sequence[Sample], t: float) -> float:
    """Return a series' value at `t` by straight lines; its end values outside."""
    right = bisect_left(series, (t,))
    if right <= 0:
        return series[0][1]
    if right >= len(series):
        return series[-1][1]
    (t0, v0), (t1, v1) = series[right - 1], series[right]
    return v0 + (v1 - v0) * (t - t0) / (t1 - t0)


def filtered(use: Sequence[float], tau: float) -> list[float]:
    """Return the output of a first-order filter, which starts settled."""
    if tau <= 0:
        return list(use)
    keep = math.exp(-GRID_S / tau)
    found, state = [], use[0]
    for value in use:
        before, state = state, keep * state + (1.0 - keep) * value
        found.append((before + state) / 2.0)  # at the middle of the step
    return found


def spaced(low: float, high: float, step: float) -> list[float]:
    """Return low, low + step, … high."""
    return [low + index * step for index in range(round((high - low) / step) + 1)]


def matched(
    power: Sequence[Sample], start: float, model: Sequence[float], offset: float
) -> tuple[list[float], list[float], list[float]]:
    """Return watts, the model at the same moments and the model's slope there, of the samples inside the model."""
    first = bisect_left(power, (start - offset + GRID_S,))
    last = bisect_right(power, (start - offset + (len(model) - 1) * GRID_S,))
    watts, values, slopes = [], [], []
    for t, value in power[first:last]:
        place = (t + offset - start) / GRID_S - 0.5  # a step's value stands for its middle
        index = min(max(int(place), 0), len(model) - 2)
        slope = model[index + 1] - model[index]
        watts.append(value)
        values.append(model[index] + slope * (place - index))
        slopes.append(slope / GRID_S)
    return watts, values, slopes


def correlation(power: Sequence[Sample], start: float, model: Sequence[float], offset: float) -> float:
    """Return Pearson's r of watts and model; 0 where too little of them overlaps."""
    watts, values, _ = matched(power, start, model, offset)
    if len(watts) < max(FEWEST, len(power) // 2):
        return 0.0
    mean_x, mean_y = fmean(values), fmean(watts)
    sxx = math.fsum((x - mean_x) ** 2 for x in values)
    syy = math.fsum((y - mean_y) ** 2 for y in watts)
    sxy = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(values, watts, strict=True))
    return sxy / math.sqrt(sxx * syy) if sxx > 0 and syy > 0 else 0.0


def offset_error(power: Sequence[Sample], start: float, model: Sequence[float], offset: float) -> float:
    """Return the offset's standard error: what the fit leaves over its slope, and the sampling interval over EDGES."""
    watts, values, slopes = matched(power, start, model, offset)
    mean_x, mean_y = fmean(values), fmean(watts)
    gain = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(values, watts, strict=True)) / math.fsum(
        (x - mean_x) ** 2 for x in values
    )
    left = [y - mean_y - gain * (x - mean_x) for x, y in zip(values, watts, strict=True)]
    spread = math.sqrt(math.fsum(one * one for one in left) / max(1, len(left) - 3))
    steep = abs(gain) * math.sqrt(math.fsum(one * one for one in slopes))
    interval = (power[-1][0] - power[0][0]) / (len(power) - 1)
    return math.hypot(spread / steep if steep else math.inf, interval / math.sqrt(12 * EDGES))
