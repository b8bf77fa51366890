"""Power for programs: what `report --json` says beside the comparisons, where energy stands like any metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from primetime.analysis import Analysis
from primetime.analysis.cpu_power import Line, Mean
from primetime.analysis.energy import Energy

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


def power_json(analysis: Analysis) -> dict[str, Json] | None:
    """Return meter, idles (W), lines of power on CPU (W per busy CPU, W) and every trial; None without a meter."""
    power = analysis.power
    if power.meter is None:
        return None
    return {
        "meter": asdict(power.meter),
        "idles": [
            {"boot": one.boot, "environment": one.environment, "phase": one.phase, **energy_json(one.energy)}
            for one in power.idles
        ],
        "lines": [line_json(line) for line in analysis.lines],
        "trials": [
            {"trial": one.trial, "busy": one.busy, "net_j": one.net_j, **energy_json(one.energy)}
            for one in power.trials
        ],
    }


def energy_json(found: Energy | str) -> dict[str, Json]:
    """A phase's energy with its standard uncertainties, or the reason for none."""
    if isinstance(found, str):
        return {"energy_j": None, "reason": found}
    return {
        "energy_j": found.joules,
        "watts": found.watts,
        "clock_j": found.clock_j,
        "meter_j": found.meter_j,
        "samples": found.samples,
    }


def line_json(line: Line) -> dict[str, Json]:
    """A line of power on CPU; `same`: its slope over the baseline's and the p of "not within the margin"."""
    ratio, p = line.same or (None, None)
    return {
        "environment": line.environment,
        "boots": len(line.fits),
        "slope": mean_json(line.slope),
        "intercept": mean_json(line.intercept),
        "residual": line.residual,
        "bends": line.bends,
        "idle_w": line.idle_w,
        "same": {"ratio": ratio.ratio, "low": ratio.low, "high": ratio.high, "p": p} if ratio else None,
    }


def mean_json(mean: Mean) -> dict[str, Json]:
    """A mean; `low` and `high` null where one boot gives no interval."""
    known = mean.half is not None
    return {"value": mean.value, "low": mean.low if known else None, "high": mean.high if known else None}
