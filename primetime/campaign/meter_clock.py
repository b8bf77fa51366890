"""A meter's clock and filter in one boot, by the load pulses around it (contract §10)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from primetime.instruments.power.base import JOULES
from primetime.intervals import Alignment, align
from primetime.model import Fact
from primetime.store import CampaignFile, ClockRelation

SETTLED_S = 3.0  # of quiet around a train of pulses that alignment looks at
SEARCHED_S = 10.0  # how far a meter's clock may be off
Series = list[tuple[float, float]]
Aligned = list[tuple[float, Alignment]]  # the middle of a train of pulses, and what it shows


def aligned(trains: Sequence[tuple[float, float]], load: Series, watts: Series, unit: str) -> Aligned:
    """Align one meter by every train that it followed. `trains`: host s; `load`: busy CPU s; `watts`: in `unit`."""
    found = [((t0 + t1) / 2, by_train(load, watts, unit, (t0, t1))) for t0, t1 in trains]
    return [(middle, one) for middle, one in found if one is not None]


def by_train(load: Series, watts: Series, unit: str, train: tuple[float, float]) -> Alignment | None:
    """Align one meter by one train of pulses."""
    low, high = train[0] - SETTLED_S, train[1] + SETTLED_S
    near = load[bisect_left(load, (low,)) : bisect_left(load, (high,))]
    if unit == JOULES:
        watts = [((t0 + t1) / 2, (j1 - j0) / (t1 - t0)) for (t0, j0), (t1, j1) in pairwise(watts)]
    return align(near, [sample for sample in watts if low - SEARCHED_S <= sample[0] <= high + SEARCHED_S])


def boot_clock(name: str, boot: int) -> str:
    """What a meter's clock is called in one boot: it is found anew in each."""
    return f"{name}-boot-{boot}"


def note_clock(campaign: CampaignFile, name: str, boot: int, found: Aligned) -> list[Fact]:
    """Return what the trains of a boot say of a meter, for that boot; it also stands in the view `clocks`."""
    facts = [Fact(f"{name}.aligned", len(found))]
    if found:
        related = relation(found)
        facts += [Fact(f"{name}.{key}", value) for key, value in related.items()]
        at, offset, drift, residual = (related[key] for key in ("offset_at", "offset_s", "drift_ppm", "residual_s"))
        campaign.add_clock(ClockRelation.seen(boot_clock(name, boot), offset, at, drift, residual))
    return facts


def relation(good: Aligned) -> dict[str, float]:
    """Offset at the first train, drift to the last one, filter and error, as facts."""
    first, last = good[0], good[-1]
    drift = (last[1].offset_s - first[1].offset_s) / (last[0] - first[0]) if len(good) > 1 else 0.0
    return {
        "offset_at": round(first[0], 3),
        "offset_s": round(first[1].offset_s, 4),
        "drift_ppm": round(1e6 * drift, 1),
        "lag_s": round(fmean(one.lag_s for _, one in good), 3),
        "lag_error_s": round(lag_error([one.lag_s for _, one in good]), 3),
        "residual_s": round(max(one.residual_s for _, one in good), 4),
        "correlation": round(min(one.correlation for _, one in good), 4),
    }


def lag_error(lags: list[float]) -> float:
    """What the trains leave open of a filter: a tenth of it, or as far as they are apart."""
    return max(0.1 * fmean(lags), (max(lags) - min(lags)) / 2)
