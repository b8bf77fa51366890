"""Power, energy and efficiency: the section of the HTML report."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis import Analysis
from primetime.analysis.energy import Energy
from primetime.analysis.power import WORK
from primetime.report.charts import colours
from primetime.report.details import plain_table
from primetime.report.markup import Markup, join, tag
from primetime.report.power_charts import Dot, cpu_power_chart, iso_chart
from primetime.report.power_words import (
    CLAIMS,
    ENERGY_HEADS,
    IDLE_HEADS,
    LINE_HEADS,
    energy_rows,
    idle_rows,
    line_rows,
    sentences,
)


def power_section(analysis: Analysis) -> Markup:
    """What the meter is and what it shows; nothing for a campaign without one."""
    told = tag("ul", *(tag("li", claim.sentence) for claim in analysis.claims))
    claims = [card(CLAIMS, told)] if analysis.claims else []
    if analysis.power.meter is None:
        return join(tag("h2", "Power, energy and efficiency"), *claims) if claims else Markup("")
    labels = [analysis.baseline, *(label for label in analysis.data.environments if label != analysis.baseline)]
    palette = colours(labels)
    cards = [tag("div", *(tag("p", words) for words in sentences(analysis)), class_="card")]
    if rows := energy_rows(analysis):
        note = (
            "± with k = 2: between boots, by the meter's clock, by the meter itself (the same for all: not in ratios)"
        )
        cards.append(card("Energy and efficiency", plain_table(ENERGY_HEADS, rows), tag("p", note, class_="sub")))
    if rows := idle_rows(analysis):
        cards.append(card("Idle", plain_table(IDLE_HEADS, rows)))
    if analysis.lines:
        chart = tag("div", cpu_power_chart(analysis.lines, palette), class_="scroll")
        cards.append(card("Power on CPU", chart, plain_table(LINE_HEADS, line_rows(analysis))))
    for point, unit, dots in throughputs(analysis):
        title = f"{point}: throughput on power; grey lines: equal work per joule, as parts of the best"
        cards.append(card(title, tag("div", iso_chart(dots, palette, unit, title), class_="scroll")))
    return join(tag("h2", "Power, energy and efficiency"), *cards, *claims)


def throughputs(analysis: Analysis) -> Iterator[tuple[str, str, list[Dot]]]:
    """Every point whose work per joule is known, with a dot per boot."""
    energies = {one.trial: one.energy for one in analysis.power.trials}
    for point, record in analysis.data.points.items():
        metric = analysis.data.metrics.get(point, {}).get(record.primary)
        if metric is None or metric.unit not in WORK:
            continue
        dots = [
            Dot(label, energy.watts, trial.values[metric.name])
            for label in analysis.data.environments
            for trial in analysis.data.done(point, label)
            if isinstance(energy := energies.get(trial.trial), Energy) and metric.name in trial.values
        ]
        if dots:
            yield point, metric.unit, dots


def card(title: str, *content: Markup) -> Markup:
    """A titled box."""
    return tag("div", tag("h3", title), *content, class_="card")
