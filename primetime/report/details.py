"""What stands folded below a point: second opinions, medians and tails, where the spread comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from primetime.analysis import Analysis
from primetime.analysis.components import Components
from primetime.analysis.quantities import NOTHING, digits, quantity, ratio_in_words
from primetime.intervals import LEAST, QuantileInterval
from primetime.report.markup import Child, Markup, tag
from primetime.report.tables import metric_name

TOO_FEW = "too few for an interval"


def plain_table(heads: Sequence[str], rows: Iterable[Sequence[Child]], *, wrap: bool = False) -> Markup:
    """Return a table; with `wrap`, its cells are text that may break."""
    cell = "wrap" if wrap else None
    body = [tag("tr", *(tag("td", value, class_=cell) for value in row)) for row in rows]
    head = tag("tr", *(tag("th", name, class_="left" if wrap else None) for name in heads))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll")


def folded(summary: str, content: Markup) -> Markup:
    """Return content that opens when its summary is clicked."""
    return tag("details", tag("summary", summary), content)


def opinion_table(analysis: Analysis, point: str) -> Markup | None:
    """What other methods say of every verdict of a point."""
    rows = [
        (one.environment, other.method, ratio_in_words(other.interval), other.verdict.value)
        for one in analysis.comparisons
        if one.point == point and one.primary
        for other in one.opinions
    ]
    heads = ("environment", "method", "ratio [95 %]", "verdict if it stood alone")
    return folded("Second opinions", plain_table(heads, rows)) if rows else None


def spread_table(analysis: Analysis, point: str) -> Markup | None:
    """Median and tails of the boots' figures, exact or not at all."""
    rows: list[tuple[Child, ...]] = [
        (
            metric_name(one.metric),
            one.environment,
            *(quantile_cell(quantile, one.metric.unit) for quantile in one.quantiles),
            one.quantiles[0].count,
        )
        for one in analysis.distributions
        if one.point == point
    ]
    heads = ("metric", "environment", *(quantile_name(p) for p in LEAST), "boots")
    return folded("Medians and tails over boots", plain_table(heads, rows)) if rows else None


def component_table(analysis: Analysis, point: str) -> Markup | None:
    """How much of the spread is between boots and how much inside them, and what that advises."""
    rows = [
        (
            one.environment,
            f"{100 * one.boot_variance**0.5:.2g} %",
            f"{100 * one.iteration_variance**0.5:.2g} %",
            f"{one.boots} × {one.iterations}",
            quantity(one.boot_s, "s"),
            quantity(one.iteration_s, "s"),
            advice_in_words(one),
        )
        for one in analysis.components
        if one.point == point
    ]
    heads = ("environment", "between boots", "inside boots", "boots × iterations", "a boot", "an iteration", "advice")
    return folded("Where the spread comes from", plain_table(heads, rows)) if rows else None


def advice_in_words(one: Components) -> str:
    """Say how many iterations per boot give most for the time."""
    if one.advised is None:
        return "boots add nothing that was seen: long boots do as well"
    return f"{digits(one.advised)} iteration{'' if one.advised == 1 else 's'} per boot"


def quantile_name(p: float) -> str:
    """Return "median", "p95", "p99"."""
    return "median" if p == 0.5 else f"p{100 * p:g}"


def quantile_cell(one: QuantileInterval, unit: str) -> str:
    """Return a quantile with its exact interval; without one where there are too few boots, and then no tail at all."""
    if one.low is None or one.high is None:
        return f"{quantity(one.value, unit)}, {TOO_FEW}" if one.p == 0.5 else f"{NOTHING} {TOO_FEW}"
    return f"{quantity(one.value, unit)} [{quantity(one.low, unit)}, {quantity(one.high, unit)}]"
