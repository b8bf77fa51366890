"""A point that keeps to a rate: in figures, or as a part of what the baseline does there (`rate = "50%"`).

A part becomes a figure once, before block 1, and then is the same in every environment (campaign/pacing.py).
"""

from __future__ import annotations

from dataclasses import replace

from primetime.model import Params, Point
from primetime.workloads.units import parse_share

RATE = "rate"


def share_of(point: Point) -> float | None:
    """Return which part of the baseline's rate a point keeps to; None for one that says a figure, or none."""
    return parse_share(point.params.get(RATE))


def kept_rate(params: Params) -> int:
    """Return the rate to keep to; 0 for as fast as it goes, and for a part that is not known yet."""
    rate = params[RATE]
    return 0 if isinstance(rate, str) else int(rate)


def unpaced(point: Point) -> Point:
    """Return the same point as fast as it goes."""
    return replace(point, params={**point.params, RATE: 0})


def paced(point: Point, baseline_rate: float) -> Point:
    """Return a point that keeps to its part of a rate. ValueError when it keeps to none."""
    share = share_of(point)
    if share is None:
        raise ValueError(f"{point.name} keeps to no part of a rate")
    return replace(point, params={**point.params, RATE: max(1, round(share * baseline_rate))})


def why_unknown(point: Point) -> str:
    """Say why a point that keeps to a part of a rate cannot be measured; "" for every other."""
    if share_of(point) is None:
        return ""
    return f"what the baseline does there was not measured, so {point.params[RATE]} of it is not known"
