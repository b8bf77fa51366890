"""Power, energy and efficiency in words and rows: terminal and HTML print the same ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean

from primetime.analysis import Analysis
from primetime.analysis.cpu_power import Line, Mean, left_out_error
from primetime.analysis.energy import Energy
from primetime.analysis.power import IDLES, PER_JOULE
from primetime.analysis.quantities import NOTHING, digits, quantity, ratio_in_words
from primetime.intervals import ALPHA
from primetime.model import Comparison

ENERGY_HEADS = (
    "point",
    "environment",
    "power",
    "energy",
    "±boots",
    "±clock",
    "±meter",
    "net",
    "work per joule",
    "ratio [95 %]",
)
IDLE_HEADS = ("environment", "idle of", "power", "boots")
LINE_HEADS = ("environment", "W per busy CPU [95 %]", "at no load [95 %]", "idle, measured", "residual", "boots")
CLAIMS = "What the study said of power, on this device"
COVERAGE = 2  # uncertainties are given with k = 2


def energy_rows(analysis: Analysis) -> list[tuple[str, ...]]:
    """A row per point and environment that has energies."""
    data, power = analysis.data, analysis.power
    rows = []
    for point in data.points:
        for label in data.environments:
            found = power.energies(point, label)
            if found:
                rows.append((point, label, *figures(found), *efficiency(analysis, point, label)))
    return rows


def figures(found: list[Energy]) -> tuple[str, ...]:
    """Mean power and energy of the boots; what is uncertain between boots, by the clock and by the meter itself."""
    joules = [one.joules for one in found]
    centre = fmean(joules)
    error = (
        math.sqrt(sum((one - centre) ** 2 for one in joules) / (len(joules) - 1) / len(joules)) if joules[1:] else None
    )
    parts = (error, fmean(one.clock_j for one in found), fmean(one.meter_j for one in found))
    said = (NOTHING if part is None else quantity(COVERAGE * part, "J") for part in parts)
    return quantity(fmean(one.watts for one in found), "W"), quantity(centre, "J"), *said


def efficiency(analysis: Analysis, point: str, label: str) -> tuple[str, str, str]:
    """Net energy, work per joule and its ratio to the baseline."""
    values = [one.net_j for one in analysis.power.trials if (one.point, one.environment) == (point, label)]
    known = [one for one in values if one is not None]
    net = quantity(fmean(known), "J") if known and len(known) == len(values) else "below what can be resolved"
    if label == analysis.baseline:
        own = [t.values[PER_JOULE] for t in analysis.data.done(point, label) if PER_JOULE in t.values]
        unit = analysis.data.metrics[point][PER_JOULE].unit if own else ""
        return net, per_joule(fmean(own), unit) if own else NOTHING, ""
    one = comparison(analysis, point, label)
    if one is None or one.value is None:
        return net, NOTHING, NOTHING
    return net, per_joule(one.value, one.metric.unit), ratio_in_words(one.interval) if one.interval else NOTHING


def per_joule(value: float, unit: str) -> str:
    """Work per joule with a prefix that a person reads."""
    return f"{quantity(value, unit.removesuffix('/J'))}/J" if unit in ("B/J",) else f"{digits(value)} {unit}"


def comparison(analysis: Analysis, point: str, label: str) -> Comparison | None:
    """The comparison of work per joule of a cell."""
    mine = (one for one in analysis.comparisons if one.point == point and one.environment == label)
    return next((one for one in mine if one.metric.name == PER_JOULE), None)


def idle_rows(analysis: Analysis) -> list[tuple[str, ...]]:
    """The idle power of the bare host and of every environment, as means over boots."""
    rows: list[tuple[str, ...]] = []
    for phase, words in IDLES.items():
        for label in analysis.data.environments:
            watts = [
                one.energy.watts
                for one in analysis.power.idles
                if one.environment == label and one.phase == phase and isinstance(one.energy, Energy)
            ]
            if watts:
                rows.append((label, words, quantity(fmean(watts), "W"), str(len(watts))))
    return rows


def line_rows(analysis: Analysis) -> list[tuple[str, ...]]:
    """The line of power on CPU of every environment."""
    return [
        (
            line.environment,
            with_interval(line.slope),
            with_interval(line.intercept),
            quantity(line.idle_w, "W"),
            quantity(line.residual, "W"),
            str(len(line.fits)),
        )
        for line in analysis.lines
    ]


def with_interval(one: Mean) -> str:
    """A mean with its interval."""
    if one.half is None:
        return f"{one.value:.3f} (one boot)"
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


def sentences(analysis: Analysis) -> Iterator[str]:
    """What the meter is, and what the lines show; never more than that power follows CPU on this device."""
    meter = analysis.power.meter
    if meter is None:
        return
    yield f"Meter {meter.name}: {meter.words}."
    found = [one.energy for one in analysis.power.trials] + [one.energy for one in analysis.power.idles]
    measured = [one for one in found if isinstance(one, Energy)]
    if measured:
        rate = sum(one.samples for one in measured) / sum(one.seconds for one in measured)
        gap = max(one.largest_gap_s for one in measured)
        yield f"It gave {rate:.3g} samples a second, {meter.hz:g} are its rate; the longest gap was {gap:.2g} s."
    clocks = list(analysis.power.clocks.values())
    if clocks:
        low, high = min(one.offset_s for one in clocks), max(one.offset_s for one in clocks)
        worst, lag = max(one.residual_s for one in clocks), max(one.lag_s for one in clocks)
        filters = f", filtering over {lag:.1f} s" if lag else ""
        off = f"{low:+.3f} to {high:+.3f} s off, ±{worst:.3f} s{filters}"
        yield f"Its clock, by load pulses in {len(clocks)} boots: {off}."
    for line in analysis.lines:
        yield from line_sentences(analysis, line)


def line_sentences(analysis: Analysis, line: Line) -> Iterator[str]:
    """How well power follows CPU in one environment, and whether its line is the baseline's."""
    bends = "; the line bends (power is not proportional to CPU here)" if line.bends else ""
    yield (
        f"In {line.environment} power follows the host's busy CPUs within ±{COVERAGE * line.residual:.2g} W on this "
        f"device: {with_interval(line.slope)} W per busy CPU{bends}."
    )
    error = left_out_error(analysis.lines, line.environment)
    if error is not None:
        yield f"The other environments' line predicts {line.environment} within {error:.2g} W (rms)."
    if line.same is not None:
        ratio, p = line.same
        verdict = "the same within the margin" if p <= ALPHA else "not shown to be the same within the margin"
        yield f"The slope of {line.environment} is {ratio_in_words(ratio)} times {analysis.baseline}'s: {verdict}."
