"""Energy of wave-forms of known energy: jitter, gaps, a clock that is off and drifts, a filter; and refusals."""

from __future__ import annotations

import math
import random

import pytest

from primetime.analysis.energy import Clock, Energy, Meter, Sample, net_energy, on_host_clock, phase_energy

METER = Meter("plug", "W", 0.001, 10.0, 0.01)
EXACT = Clock(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
PHASE = (20.0, 60.0)


def wave(t: float) -> float:
    """4 W idle; in the phase 8 W with a slow swing."""
    return 8.0 + math.sin(2 * math.pi * (t - PHASE[0]) / 10.0) if PHASE[0] <= t < PHASE[1] else 4.0


TRUTH = 8.0 * (PHASE[1] - PHASE[0])


def sampled(hz: float, seed: int = 1, *, offset: float = 0.0, drift: float = 0.0, tau: float = 0.0) -> list[Sample]:
    """Samples on a meter's clock: host = t + offset + drift · t, jitter of a tenth of an interval."""
    chance, found = random.Random(seed), []
    fine, state, now, due = 0.02, 4.0, 0.0, 0.0
    while now < 90.0:
        state = wave(now) if tau == 0 else state + (wave(now) - state) * fine / tau
        if now >= due:
            found.append(((now - offset) / (1 + drift), state))
            due += (1 + chance.uniform(-0.1, 0.1)) / hz
        now += fine
    return found


def energy(samples: list[Sample], clock: Clock = EXACT, meter: Meter = METER) -> Energy:
    """The phase's energy, which must have one."""
    found = phase_energy(on_host_clock(samples, clock), meter, clock, PHASE)
    assert isinstance(found, Energy), found
    return found


@pytest.mark.parametrize("seed", range(3))
def test_energy_with_jitter_offset_and_drift_is_within_half_a_per_cent(seed: int) -> None:
    samples = sampled(10.0, seed, offset=3.0, drift=200e-6)
    found = energy(samples, Clock(0.0, 3.0, 200e-6, 0.0, 0.0, 0.015))
    assert found.joules == pytest.approx(TRUTH, rel=0.005)
    assert abs(found.joules - TRUTH) < 4 * found.clock_j + 0.3
    assert found.samples == pytest.approx(400, abs=10)


def test_a_gap_below_five_per_cent_is_bridged() -> None:
    samples = [one for one in sampled(10.0) if not 30.0 < one[0] < 31.5]
    assert energy(samples).joules == pytest.approx(TRUTH, rel=0.005)


def test_a_slow_plug_is_corrected_and_its_uncertainty_is_wider() -> None:
    phase_of = Clock(0.0, 0.0, 0.0, 3.0, 0.3, 0.15)
    meter = Meter("plug", "W", 0.1, 5.0, 0.01)
    slow = energy(sampled(5.0, tau=3.0), phase_of, meter)
    fast = energy(sampled(5.0), Clock(0.0, 0.0, 0.0, 0.0, 0.0, 0.03), meter)
    assert slow.joules == pytest.approx(TRUTH, rel=0.005)
    assert slow.clock_j > 4 * fast.clock_j
    uncorrected = energy(sampled(5.0, tau=3.0), EXACT, meter)
    assert uncorrected.joules < TRUTH - 3.0  # what would be said without the filter


def test_a_counter_gives_its_difference() -> None:
    joules, total = [], 0.0
    for t, watts in sampled(10.0):
        total += watts * (t - joules[-1][0]) if joules else 0.0
        joules.append((t, total))
    assert energy(joules, meter=Meter("rapl", "J", 61e-6, 10.0, 0.0)).joules == pytest.approx(TRUTH, rel=0.01)


@pytest.mark.parametrize(
    ("samples", "phase", "words"),
    [
        (sampled(10.0), (20.0, 45.0), "shorter than 30 s"),
        (sampled(2.0), PHASE, "samples, less than 100"),
        ([one for one in sampled(10.0) if not 30.0 < one[0] < 33.0], PHASE, "silent for 3."),
        ([one for one in sampled(10.0) if one[0] < 45.0], PHASE, "silent for 15."),
        ([one for one in sampled(10.0) if one[0] > 20.01], (20.0, 59.5), "do not cover"),
    ],
)
def test_no_figure_without_the_samples_for_it(samples: list[Sample], phase: tuple[float, float], words: str) -> None:
    found = phase_energy(samples, METER, EXACT, phase)
    assert isinstance(found, str)
    assert words in found


def test_net_only_above_the_noise() -> None:
    gross = Energy(320.0, 40.0, 0.5, 2.0, 400, 0.1)
    assert net_energy(gross, Energy(160.0, 40.0, 0.5, 1.0, 400, 0.1)) == pytest.approx(160.0)
    assert net_energy(gross, Energy(316.0, 40.0, 0.5, 1.0, 400, 0.1)) is None
    assert net_energy(gross, Energy(300.0, 40.0, 8.0, 1.0, 400, 0.1)) is None


def test_the_meter_and_the_clock_are_told_apart() -> None:
    found = energy(sampled(10.0))
    assert found.meter_j == pytest.approx(math.hypot(0.01 * TRUTH / math.sqrt(3), 0.001 * 40 / math.sqrt(12)), rel=0.01)
    assert found.clock_j == 0.0
