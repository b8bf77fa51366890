"""The sections of the HTML report, each a function from an analysis to markup."""

from __future__ import annotations

from primetime.analysis import Analysis
from primetime.analysis.boots import boot_figures, point_figures
from primetime.analysis.compare import typical
from primetime.analysis.findings import TIMES
from primetime.analysis.quantities import NOTHING, digits, quantity
from primetime.model import Comparison, Severity, Verdict
from primetime.report.charts import Lane, colours, strip_chart
from primetime.report.details import component_table, folded, opinion_table, plain_table, spread_table
from primetime.report.markup import Markup, join, tag
from primetime.report.tables import (
    MEAN,
    OUTSIDE,
    PointTable,
    better,
    metric_name,
    point_tables,
    ratio_cell,
    verdict_in_words,
)
from primetime.report.terminal import left_out

SEVERITIES = {Severity.FORBIDS: "bad", Severity.WARNING: "open", Severity.NOTE: "none"}
VERDICTS = {
    Verdict.NEGLIGIBLE: "same",
    Verdict.COMPARABLE: "same",
    Verdict.NOT_RESOLVED: "open",
    Verdict.NO_VERDICT: "none",
}


def overview(analysis: Analysis) -> Markup:
    """Every environment and point at a glance, then in words."""
    tables = point_tables(analysis)
    if not tables:
        return tag("div", tag("p", "Nothing has been measured yet."), class_="card")
    heads = [
        tag("th", table.point, tag("br"), tag("span", metric_name(table.metric), class_="mute")) for table in tables
    ]
    by_point = {(row.environment, table.point): row.comparison for table in tables for row in table.rows}
    rows = [
        tag(
            "tr",
            tag("td", record.printed_name),
            *(_cell(analysis, by_point.get((label, table.point))) for table in tables),
        )
        for label, record in analysis.data.environments.items()
        if label != analysis.baseline
    ]
    matrix = tag("table", tag("thead", tag("tr", tag("th", ""), *heads)), tag("tbody", *rows), class_="matrix")
    words = tag("ul", *(tag("li", finding.sentence) for finding in analysis.findings))
    said = tag("details", tag("summary", "Every result as a sentence"), words, open="")
    return join(
        tag("h2", "At a glance"),
        tag("p", f"Ratio to {analysis.baseline}; a ratio without verdict is grey.", class_="sub"),
        tag("div", tag("div", matrix, class_="scroll"), said, class_="card"),
    )


def warning_section(analysis: Analysis) -> Markup:
    """Quality problems, the gravest first, equal sentences once."""
    seen = {warning.sentence: warning.severity for warning in reversed(analysis.warnings)}
    if not seen:
        return Markup("")
    items = [
        tag("li", tag("span", severity.value, class_=f"chip {SEVERITIES[severity]}"), " ", sentence)
        for sentence, severity in reversed(seen.items())
    ]
    return join(tag("h2", "Warnings"), tag("div", tag("ul", *items, class_="plain"), class_="card"))


def point_sections(analysis: Analysis) -> Markup:
    """A chart and a table per point, and its other metrics folded away."""
    cards = [_point_card(analysis, table) for table in point_tables(analysis)]
    return (
        join(tag("h2", "Point by point"), tag("p", f"Values: {MEAN}.", class_="sub"), *cards) if cards else Markup("")
    )


def boot_sections(analysis: Analysis) -> Markup:
    """Time to ready and footprint of every boot."""
    palette = colours(_ordered(analysis))
    cards = []
    for metric, by_environment in boot_figures(analysis.data).items():
        lanes = [
            Lane(analysis.data.environments[label].printed_name, palette[label], by_environment[label])
            for label in _ordered(analysis)
            if label in by_environment
        ]
        rows = [
            (
                lane.label,
                quantity(typical([dot.value for dot in lane.dots]), metric.unit),
                quantity(min(dot.value for dot in lane.dots), metric.unit),
                quantity(max(dot.value for dot in lane.dots), metric.unit),
                len(lane.dots),
            )
            for lane in lanes
        ]
        title = f"{metric_name(metric)} ({better(metric)})"
        chart = tag("div", strip_chart(lanes, metric.unit, title), class_="scroll")
        table = plain_table(("environment", "geometric mean", "least", "most", "boots"), rows)
        cards.append(tag("div", tag("h3", title), chart, table, class_="card"))
    return join(tag("h2", "Start and footprint"), *cards) if cards else Markup("")


def exclusion_section(analysis: Analysis) -> Markup:
    """What no comparison uses."""
    items = [tag("li", words) for words in left_out(analysis)]
    content = tag("ul", *items) if items else tag("p", "Nothing: every trial that was planned is compared.")
    return join(tag("h2", "Left out"), tag("div", content, class_="card"))


def campaign_section(analysis: Analysis) -> Markup:
    """The device, the environments, the plan."""
    data = analysis.data
    environments = [
        (
            record.printed_name,
            record.spec.kind,
            ", ".join(f"{name}={value}" for name, value in record.spec.settings.items()),
            ", ".join(f"{name} {version}" for name, version in record.versions.items()),
            f"{record.usable}{': ' if record.reason else ''}{record.reason}",
        )
        for record in data.environments.values()
    ]
    facts = [
        (fact.name, NOTHING if fact.value is None else str(fact.value))
        for fact in data.facts
        if fact.scope == "campaign"
    ]
    points = [
        (name, record.primary, ", ".join(f"{key}={value}" for key, value in record.point.params.items()))
        for name, record in data.points.items()
    ]
    stopping = data.study.stopping
    plan = (
        f"Seed {data.campaign['seed']}; at least {stopping.min_blocks} and at most {stopping.max_blocks} blocks, until "
        f"the interval's half-width is {digits(stopping.half_width * 100)} % or {quantity(stopping.budget_s, 's')} are "
        "spent. In every block each environment is booted once in a random order; all measure the points in the "
        "block's own random order."
    )
    card = tag(
        "div",
        tag("p", plan),
        plain_table(("environment", "kind", "settings", "versions", "on this device"), environments, wrap=True),
        folded(f"Points ({len(points)})", plain_table(("point", "primary metric", "parameters"), points, wrap=True)),
        folded(f"Facts of the device ({len(facts)})", plain_table(("fact", "value"), facts, wrap=True)),
        folded("The study file", tag("pre", data.study.text)) if data.study.text else None,
        class_="card",
    )
    return join(tag("h2", "Device and plan"), card)


def reading_section(analysis: Analysis) -> Markup:
    """How the figures are to be read."""
    sentences = (
        "The boot is the replicate: one number per boot and metric, whatever happened inside it.",
        "A ratio is that of geometric means, from pairs of boots in the same block; its interval is a t interval on "
        f"the logarithms. Intervals are individual 95 % ones; verdicts against {analysis.baseline} are adjusted by "
        "Holm's method over all environments and points of one workload.",
        "Different: the ratio is not 1. Negligible: not 1, but within the margin. Comparable: shown to lie within the "
        "margin. Not resolved: neither could be shown. No verdict: the figures cannot carry one, for the reason given.",
        "Metrics other than a point's primary one are exploratory: intervals and Benjamini and Hochberg's q over all "
        "of them, no verdicts.",
        "Method-dependent: the Hodges\N{EN DASH}Lehmann interval or, from 20 blocks, the hierarchical bootstrap would "
        "have said something else; all are shown.",
        "Outside: the part of an environment's own CPU time that lies outside its CPU limit.",
    )
    return join(tag("h2", "How to read this"), tag("div", *(tag("p", one) for one in sentences), class_="card"))


def _ordered(analysis: Analysis) -> list[str]:
    """Return the labels, the baseline first."""
    return [analysis.baseline, *(label for label in analysis.data.environments if label != analysis.baseline)]


def _point_card(analysis: Analysis, table: PointTable) -> Markup:
    palette = colours(_ordered(analysis))
    figures = point_figures(analysis.data, table.point, table.metric.name)
    lanes = [
        Lane(row.printed_name, palette[row.environment], figures.get(row.environment, ()), row.comparison)
        for row in table.rows
    ]
    cost = (f"{table.cost_unit}",) if table.cost_unit else ()
    heads = ("environment", "value", table.baseline, "ratio [95 %]", *cost, OUTSIDE, "blocks", "verdict")
    rows = [
        (
            row.printed_name,
            *(row.value, row.baseline_value, row.ratio),
            *((row.cost,) if cost else ()),
            row.outside,
            row.blocks,
            _chip(analysis, row.comparison) if row.comparison else row.verdict,
        )
        for row in table.rows
    ]
    return tag(
        "div",
        tag("h3", table.heading()),
        tag("div", strip_chart(lanes, table.metric.unit, table.heading()), class_="scroll"),
        plain_table(heads, rows),
        opinion_table(analysis, table.point),
        spread_table(analysis, table.point),
        component_table(analysis, table.point),
        _others(analysis, table.point),
        class_="card",
    )


def _others(analysis: Analysis, point: str) -> Markup | None:
    rows = [
        (
            metric_name(one.metric),
            one.environment,
            quantity(one.value, one.metric.unit),
            quantity(one.baseline_value, one.metric.unit),
            ratio_cell(one),
            NOTHING if one.q is None else digits(one.q, 2),
            better(one.metric),
        )
        for one in analysis.comparisons
        if one.point == point and one.metric.name != analysis.data.points[point].primary
    ]
    if not rows:
        return None
    heads = ("metric", "environment", "value", analysis.baseline, "ratio [95 %]", "q", "")
    return folded(f"Other metrics ({len({row[0] for row in rows})}), exploratory", plain_table(heads, rows))


def _cell(analysis: Analysis, one: Comparison | None) -> Markup:
    if one is None or one.value is None:
        return tag("td", tag("span", NOTHING, class_="big mute"), tag("span", "no figure", class_="chip none"))
    quotient = (
        one.value / one.baseline_value if one.baseline_value and not (one.states or one.baseline_states) else None
    )
    ratio = one.interval.ratio if one.interval else quotient
    muted = " mute" if one.verdict is Verdict.NO_VERDICT else ""
    words = (
        NOTHING if ratio is None else f"{digits(ratio, 2) if ratio < 0.1 or ratio >= 100 else f'{ratio:.2f}'}{TIMES}"
    )
    return tag("td", tag("span", words, class_=f"big{muted}"), _chip(analysis, one), title=one.reason or None)


def _chip(analysis: Analysis, one: Comparison) -> Markup:
    words = verdict_in_words(one, analysis.data.study.quick)
    kind = VERDICTS.get(one.verdict) or ("bad" if "worse" in words else "good")
    return tag("span", words, class_=f"chip {kind}", title=one.reason or None)
