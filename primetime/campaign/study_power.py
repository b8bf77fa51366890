"""[meter.NAME] and [power] of a study file, and windows long enough for the meter at hand (contract §10)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from primetime.campaign.study_table import Table
from primetime.errors import UserError
from primetime.instruments.power import meter
from primetime.model import MeterSpec, Point, PowerSpec
from primetime.model.toml_table import NAME

LEAST_SAMPLES, LEAST_S = 100, 30.0
ROOM = 1.1  # a window ends a little early or a sample comes a little late
PULSE_S, PULSE_SAMPLES = 2.0, 10
LENGTHS = ("runtime", "duration")  # the parameters that say how long a window is


def read_power(top: Table, smoke: bool) -> PowerSpec:
    """[meter.NAME]: kind and its settings; [power]: pulse, idle, lengthen."""
    meters = read_meters(top.table("meter"))
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


def read_meters(table: Table) -> tuple[MeterSpec, ...]:
    """Every meter, checked by its own kind."""
    found = []
    for name in table.keys():
        if not NAME.fullmatch(name):
            raise table.mistake(name, "a name may hold letters, digits, '.', '_' and '-', at most 40", "rename it")
        own = table.table(name)
        spec = MeterSpec(name, own.word("kind", name), own.rest())
        try:
            meter(spec)
        except UserError as error:
            raise UserError(f"{table.file}: {error.message}", error.hint) from None
        found.append(spec)
    return tuple(found)


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
