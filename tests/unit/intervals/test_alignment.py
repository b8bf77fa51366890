"""A meter's offset and filter, found in made pulses of known truth."""

from __future__ import annotations

import math
import random

import pytest

from primetime.intervals import align, pulse_spans
from primetime.intervals.alignment import Sample

CORES = 4.0
QUIET = 5.0  # seconds around the pulses


def busy_at(t: float, spans: tuple[float, ...], phase: float) -> float:
    """Cumulative busy CPU seconds: idle, full, idle, full, idle, on a host that is otherwise quiet."""
    done = 0.0
    for full in (1, 3):
        done += min(max(t - phase - sum(spans[:full]), 0.0), spans[full])
    return CORES * done + 0.05 * t


def made(pulse: float, hz: float, offset: float, tau: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Load at 50 Hz in clock ticks of 10 ms, and a meter that is `offset` behind, filters, jitters and has noise."""
    chance = random.Random(seed)
    phase = QUIET + chance.random()
    spans = pulse_spans(pulse, 1 / hz)
    length = sum(spans) + 2 * QUIET
    load = [(t / 50, math.floor(busy_at(t / 50, spans, phase) * 100) / 100) for t in range(int(length * 50))]
    fine, state, shown = 0.002, 0.0, []
    for index in range(int(length / fine)):
        t = index * fine
        use = (busy_at(t + fine, spans, phase) - busy_at(t, spans, phase)) / fine
        state = use if tau == 0 else state + (use - state) * fine / tau
        shown.append(2.5 + 1.1 * state)
    power = []
    t = chance.random() / hz
    while t < length - 0.1:
        power.append((t - offset, round(shown[int(t / fine)] + chance.gauss(0, 0.03), 3)))
        t += (1 + chance.uniform(-0.02, 0.02)) / hz
    return load, power


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("offset", [3.0, -0.137])
def test_an_offset_is_found_within_20_ms_at_10_hz(seed: int, offset: float) -> None:
    found = align(*made(2.0, 10.0, offset, 0.0, seed))
    assert found is not None
    assert abs(found.offset_s - offset) < 0.020
    assert found.lag_s < 0.1
    assert found.residual_s < 0.05


def test_a_slow_plug_has_its_filter_estimated_and_a_wider_error() -> None:
    sharp, slow = align(*made(2.0, 10.0, 0.4, 0.0, 1)), align(*made(10.0, 1.0, 0.4, 3.0, 1))
    assert sharp is not None
    assert slow is not None
    assert slow.lag_s == pytest.approx(3.0, abs=0.5)
    assert slow.offset_s == pytest.approx(0.4, abs=0.4)
    assert slow.residual_s > 3 * sharp.residual_s


def test_a_meter_that_does_not_follow_is_not_aligned() -> None:
    load, power = made(2.0, 10.0, 0.0, 0.0, 1)
    chance = random.Random(2)
    assert align(load, [(t, chance.gauss(3.0, 0.2)) for t, _ in power]) is None
    assert align(load, [(t, 3.0) for t, _ in power]) is None
    assert align(load, power[:5]) is None
