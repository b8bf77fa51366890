"""[meter.NAME] and [power] of a study file, and windows long enough for the meter at hand (contract §10)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from primetime.campaign.study_table import Table
from primetime.instruments.power import meter
from primetime.instruments.power.tables import read_meters
from primetime.model import MeterSpec, Point, PowerSpec

LEAST_SAMPLES, LEAST_S = 100, 30.0
ROOM = 1.1  # a window ends a little early or a sample comes a little late
PULSE_S, PULSE_SAMPLES = 2.0, 10
LENGTHS = ("runtime", "duration")  # the parameters that say how long a window is


def read_power(top: Table, smoke: bool, outside: Sequence[MeterSpec] = ()) -> PowerSpec:
    """[meter.NAME]: kind and its settings; [power]: pulse, idle, lengthen. `outside`: a fleet's own, behind them."""
    meters = read_meters(top.table("meter"))
    for spec in outside:
        if spec.name in {one.name for one in meters}:
            raise top.mistake(f"meter.{spec.name}", "the fleet file has a meter of this name too", "rename one of them")
    meters = (*meters, *outside)
    table = top.table("power")
    slowest = min((meter(spec).channels()[0].hz for spec in meters), default=math.inf)
    phase_s = float(math.ceil(max(LEAST_S, LEAST_SAMPLES / slowest) * ROOM))
    pulse_s = table.duration("pulse", max(PULSE_S, PULSE_SAMPLES / slowest))
    idle_s = table.duration("idle", phase_s)
    lengthen = table.flag("lengthen", True)
    table.finish()
    if not meters:
        return PowerSpec()
    if smoke:
        return PowerSpec(meters, 0.0, 0.0, 0.0)
    return PowerSpec(meters, pulse_s, idle_s, phase_s if lengthen else 0.0)


def lengthened(points: Sequence[Point], power: PowerSpec) -> tuple[Point, ...]:
    """Return the points with windows of at least `power.phase_s`."""
    return tuple(lengthened_point(point, power.phase_s) for point in points)


def lengthened_point(point: Point, phase_s: float) -> Point:
    """One point, with a longer window where it has one that is too short."""
    longer = {
        key: phase_s
        for key in LENGTHS
        if isinstance(given := point.params.get(key), int | float) and float(given) < phase_s
    }
    return replace(point, params={**point.params, **longer}) if longer else point


def boot_seconds(power: PowerSpec) -> float:
    """What meters add to every boot: two trains of five pulses with their settling, two idles."""
    return 2 * (5 * power.pulse_s + 3.0 * bool(power.pulse_s)) + 2 * power.idle_s if power.meters else 0.0
