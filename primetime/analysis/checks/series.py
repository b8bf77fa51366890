"""What a series of blocks shows: two states, storage that is not steady, drift that pairing does not absorb."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from primetime.analysis.data import CampaignData
from primetime.analysis.drift import FEWEST, change_points, lag_one, lag_one_p, runs_p
from primetime.analysis.quantities import digits, states_in_words
from primetime.analysis.scope import scope_of
from primetime.analysis.states import two_states
from primetime.analysis.steady import RANGE, SLOPE, WINDOW, Steadiness, steady_state
from primetime.intervals import ALPHA, holm, log_ratios
from primetime.model import QualityWarning, Severity, only_reads

STORAGE = frozenset({"fio", "filebench", "files"})


@dataclass(frozen=True, slots=True)
class Residuals:
    """The ln ratios of an environment at a point less their mean, in time order, with their blocks."""

    point: str
    environment: str
    blocks: tuple[int, ...]
    values: tuple[float, ...]


def two_state_boots(data: CampaignData) -> Iterator[QualityWarning]:
    """Boots that fall into two groups have no single number, and no verdict."""
    for (point, label), states in two_states(data).items():
        primary = data.points[point].primary
        unit = data.metrics[point][primary].unit
        sentence = (
            f"{label} has two states in {point}: {states_in_words(states, unit)}; no single number stands for both"
        )
        figures: dict[str, float | str] = {}
        for name, state in zip(("low", "high"), states, strict=True):
            figures.update({name: state.value, f"{name}_boots": float(state.boots)})
        yield QualityWarning("two-states", Severity.FORBIDS, scope_of(label, point, primary), sentence, figures)


def unsteady(data: CampaignData) -> Iterator[QualityWarning]:
    """Contract §6: written storage must be steady across blocks, by SNIA's two conditions over the last five.

    A quick campaign, which only suggests, is told; any other has no verdict there.
    """
    severity = Severity.WARNING if data.study.quick or data.study.smoke else Severity.FORBIDS
    for point, record in data.points.items():
        if record.point.workload not in STORAGE or only_reads(record.point.params):
            continue
        for label in data.environments:
            done = data.done(point, label)
            steady = steady_state([t.values[record.primary] for t in done if record.primary in t.values])
            if steady.state is Steadiness.NOT_STEADY:
                sentence = (
                    f"{label} is not steady in {point}: over the last {WINDOW} blocks its figures spread over "
                    f"{digits(100 * steady.spread, 2)} % of their mean (at most {100 * RANGE:g} %), and their line "
                    f"moves by {digits(100 * steady.moved, 2)} % (at most {100 * SLOPE:g} %)"
                )
                figures: dict[str, float | str] = {"spread": steady.spread, "moved": steady.moved}
                yield QualityWarning("not-steady", severity, scope_of(label, point), sentence, figures)


def drifting(data: CampaignData) -> Iterator[QualityWarning]:
    """Blocks that depend on their neighbours, or change once and for all: intervals take them as independent."""
    series = list(residuals(data))
    runs = holm([runs_p(one.values) for one in series])
    neighbours = holm([lag_one_p(one.values) for one in series])
    for one, p_runs, p_lag in zip(series, runs, neighbours, strict=True):
        scope = scope_of(one.environment, one.point)
        changes = change_points(one.values)
        if changes:
            places = ", ".join(
                f"before block {one.blocks[change.at]} by {signed(change.after - change.before)}" for change in changes
            )
            sentence = f"the ratio of {one.environment} in {one.point} changed {places}"
            yield QualityWarning("change-point", Severity.WARNING, scope, sentence, {"changes": float(len(changes))})
        elif min(p_runs, p_lag) <= ALPHA:
            r = lag_one(one.values)
            sentence = (
                f"neighbouring blocks depend on each other in {one.point} of {one.environment} (correlation {r:.2f}): "
                "its interval is too narrow"
            )
            yield QualityWarning("drift", Severity.WARNING, scope, sentence, {"lag_one": r, "runs_p": p_runs})


def residuals(data: CampaignData) -> Iterator[Residuals]:
    """The primary ln ratios to the baseline of every cell that is long enough, in block order."""
    base = data.baseline
    for point, record in data.points.items():
        values = {label: data.by_block(point, label, record.primary) for label in data.environments}
        for label in data.environments:
            d = log_ratios(values[label], values[base]) if label != base else {}
            if len(d) >= FEWEST:
                mean = math.fsum(d.values()) / len(d)
                yield Residuals(point, label, tuple(d), tuple(one - mean for one in d.values()))


def signed(change: float) -> str:
    """Return a change of a logarithm in per cent: "+3.1 %"."""
    return f"{100 * math.expm1(change):+.2g} %"
