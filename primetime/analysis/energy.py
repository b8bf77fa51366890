"""Energy of a phase from a meter's samples: a trapezoid on timestamps, or a reason why there is no figure (§10).

A figure has two uncertainties that are kept apart. `clock_j`: what the meter's offset, its filter and their errors can
move between a phase and its neighbours, different in every phase. `meter_j`: the meter's own accuracy and step, the
same in all of them, so it cancels in ratios and not in absolutes.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from primetime.intervals import interpolated

LEAST_SAMPLES, LEAST_S, GAP = 100, 30.0, 0.05
NEAR_S = 3.0  # the neighbourhood of an edge
NET_SHARE = 0.10  # of gross: a net below it is below what can be resolved
Sample = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Meter:
    """What a campaign says of a meter. `unit`: W, or J for a counter; `accuracy`: half-width, part of the reading."""

    name: str
    unit: str
    resolution: float
    hz: float
    accuracy: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """How a meter stood to the host in one boot: host time = t + offset_s + drift · (t − at), seen through a filter."""

    at: float
    offset_s: float
    drift: float
    lag_s: float
    lag_error_s: float
    residual_s: float

    def host(self, t: float) -> float:
        """Return the host's time of a meter's time."""
        return t + self.offset_s + self.drift * (t - self.at)


@dataclass(frozen=True, slots=True)
class Energy:
    """A phase's gross energy with its standard uncertainties, and what it rests on."""

    joules: float
    seconds: float
    clock_j: float
    meter_j: float
    samples: int
    largest_gap_s: float

    @property
    def watts(self) -> float:
        return self.joules / self.seconds


def on_host_clock(samples: Sequence[Sample], clock: Clock) -> list[Sample]:
    """Return samples with the host's time."""
    return [(clock.host(t), value) for t, value in samples]


def phase_energy(samples: Sequence[Sample], meter: Meter, clock: Clock, phase: tuple[float, float]) -> Energy | str:
    """Return a phase's energy, or why it has none. `samples`: (host s, W or J), in order."""
    t0, t1 = phase
    inside = samples[bisect_left(samples, (t0,)) : bisect_right(samples, (t1,))]
    seconds = t1 - t0
    if seconds < LEAST_S:
        return f"its window of {seconds:.1f} s is shorter than {LEAST_S:g} s"
    times = [t0, *(t for t, _ in inside), t1]
    gap = max(after - before for before, after in pairwise(times))
    if gap > GAP * seconds:
        return f"the meter was silent for {gap:.1f} s of {seconds:.1f} s, more than 5 %"
    if len(inside) < LEAST_SAMPLES:
        return f"the meter gave {len(inside)} samples, less than {LEAST_SAMPLES}"
    if samples[0][0] > t0 or samples[-1][0] < t1:
        return "the meter's samples do not cover all of it"
    joules = interpolated(samples, t1) - interpolated(samples, t0) if meter.unit == "J" else trapezoid(samples, t0, t1)
    correction = filtering(samples, meter, clock, phase)
    return Energy(
        joules=joules + correction,
        seconds=seconds,
        clock_j=math.hypot(clock_error(samples, meter, clock, phase), filter_error(correction, clock)),
        meter_j=math.hypot(meter.accuracy * joules / math.sqrt(3), step_error(meter, seconds)),
        samples=len(inside),
        largest_gap_s=gap,
    )


def trapezoid(samples: Sequence[Sample], t0: float, t1: float) -> float:
    """Return the integral from t0 to t1 of straight lines through the samples."""
    inside = samples[bisect_right(samples, (t0, math.inf)) : bisect_left(samples, (t1,))]
    points = [(t0, interpolated(samples, t0)), *inside, (t1, interpolated(samples, t1))]
    return math.fsum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))


def mean_watts(samples: Sequence[Sample], meter: Meter, t0: float, t1: float) -> float:
    """Return the mean power of a stretch, whatever it is worth."""
    if meter.unit == "J":
        return (interpolated(samples, t1) - interpolated(samples, t0)) / (t1 - t0)
    return trapezoid(samples, t0, t1) / (t1 - t0)


def filtering(samples: Sequence[Sample], meter: Meter, clock: Clock, phase: tuple[float, float]) -> float:
    """Return the joules that a first-order filter still owes at the phase's end less those it owed at its start."""
    if clock.lag_s == 0 or meter.unit == "J":
        return 0.0
    return clock.lag_s * (interpolated(samples, phase[1]) - interpolated(samples, phase[0]))


def filter_error(correction: float, clock: Clock) -> float:
    """A filter's correction is as uncertain as its time constant."""
    return abs(correction) * clock.lag_error_s / clock.lag_s if clock.lag_s else 0.0


def clock_error(samples: Sequence[Sample], meter: Meter, clock: Clock, phase: tuple[float, float]) -> float:
    """Return the joules that the offset's error can move over the phase's edges (methodology 1.14)."""
    t0, t1 = phase
    reach = NEAR_S + 3 * clock.lag_s
    own = mean_watts(samples, meter, t0, t1)
    before, after = (mean_watts(samples, meter, *stretch) for stretch in ((t0 - reach, t0), (t1, t1 + reach)))
    return math.hypot(clock.residual_s, clock.lag_error_s) * math.hypot(own - before, own - after)


def step_error(meter: Meter, seconds: float) -> float:
    """A meter's step as joules over a phase: uniform over one step, and the same in every sample at worst."""
    return meter.resolution * (seconds if meter.unit == "W" else 1.0) / math.sqrt(12)


def net_energy(gross: Energy, idle: Energy) -> float | None:
    """Return the energy above idle power over the same time; None where it is not above the noise."""
    net = gross.joules - gross.seconds * idle.watts
    noise = math.hypot(gross.clock_j, gross.seconds * idle.clock_j / idle.seconds)
    noise = math.hypot(noise, 2 * gross.meter_j)  # a meter's common part does not cancel after a subtraction
    return net if net > 2 * noise and net >= NET_SHARE * gross.joules else None


def finest_watts(meter: Meter, seconds: float) -> float:
    """Return the smallest difference of mean power that a meter can tell apart over a phase."""
    return meter.resolution if meter.unit == "W" else meter.resolution / seconds
