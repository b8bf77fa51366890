"""Charts as inline SVG, drawn by us: one dot per boot in block order, and the ratio beside it on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from primetime.analysis.boots import Dot
from primetime.analysis.compare import typical
from primetime.analysis.quantities import digits, quantity, ratio_in_words
from primetime.model import Comparison, Verdict
from primetime.report.axis import Axis, ratio_axis, value_axis
from primetime.report.markup import Markup, join, tag

WIDTH = 1000
LABEL_RIGHT = 148
STRIP = (168, 604)
STRIP_WIDE = (168, 972)
RATIO = (664, 972)
TOP = 30
ROW = 46
FOOT = 30
INSET = 9  # of the first and last dot from the row's edges
COLOURS = 8


@dataclass(frozen=True, slots=True)
class Lane:
    """One environment's row. `comparison` is None for the baseline and where ratios are not shown."""

    label: str
    colour: int
    dots: tuple[Dot, ...]
    comparison: Comparison | None = None


def colours(labels: Sequence[str]) -> Mapping[str, int]:
    """Return each environment's colour, the same in every chart; the baseline (the first) is neutral."""
    return {label: index if index == 0 else 1 + (index - 1) % (COLOURS - 1) for index, label in enumerate(labels)}


def strip_chart(lanes: Sequence[Lane], unit: str, title: str) -> Markup:
    """Return the chart: dots left; right, if any lane is compared, ratios with interval, margin band and line at 1."""
    values = [dot.value for lane in lanes for dot in lane.dots]
    compared = [lane for lane in lanes if lane.comparison and _ratio(lane.comparison) is not None]
    if not values:
        return Markup("")
    axis = value_axis(values, *(STRIP if compared else STRIP_WIDE))
    bottom = TOP + ROW * len(lanes)
    parts = [_grid(axis, bottom, [quantity(tick, unit) for tick in axis.ticks])]
    parts.append(tag("text", _strip_heading(axis), x=axis.left, y=14, class_="head"))
    for index, lane in enumerate(lanes):
        parts.append(_lane(lane, TOP + ROW * index, axis, unit))
    if compared:
        parts.append(_ratios(lanes, compared, bottom))
    return tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 0 {WIDTH} {bottom + FOOT}",
        role="img",
        class_="chart",
        aria_label=title,
    )


def _strip_heading(axis: Axis) -> str:
    scale = ", logarithmic" if axis.log else "" if axis.low <= 0 else ", axis does not start at zero"
    return f"one dot per boot, first block on top{scale}"


def _grid(axis: Axis, bottom: float, words: Sequence[str]) -> Markup:
    lines = [
        join(
            tag("line", x1=axis.at(tick), x2=axis.at(tick), y1=TOP - 6, y2=bottom, class_="grid"),
            tag("text", word, x=axis.at(tick), y=bottom + 18, class_="tick"),
        )
        for tick, word in zip(axis.ticks, words, strict=True)
    ]
    return join(*lines)


def _lane(lane: Lane, top: float, axis: Axis, unit: str) -> Markup:
    middle = top + ROW / 2
    parts = [
        tag("line", x1=LABEL_RIGHT + 8, x2=axis.right, y1=top, y2=top, class_="lane"),
        tag("text", _shortened(lane.label), x=LABEL_RIGHT, y=middle + 4, class_="label"),
    ]
    centre = typical([dot.value for dot in lane.dots])
    if centre is not None:
        place = axis.at(centre)
        parts.append(tag("line", x1=place, x2=place, y1=top + 4, y2=top + ROW - 4, class_=f"mean c{lane.colour}"))
    step = (ROW - 2 * INSET) / max(1, len(lane.dots) - 1)
    radius = 3.4 if len(lane.dots) <= 12 else 2.4
    for index, dot in enumerate(lane.dots):
        y = top + INSET + step * index if len(lane.dots) > 1 else middle
        words = f"{lane.label}, block {dot.block}, boot {dot.boot}: {quantity(dot.value, unit)}"
        parts.append(
            tag("circle", tag("title", words), cx=axis.at(dot.value), cy=y, r=radius, class_=f"dot c{lane.colour}")
        )
    return join(*parts)


def _ratios(lanes: Sequence[Lane], compared: Sequence[Lane], bottom: float) -> Markup:
    comparisons = [lane.comparison for lane in compared if lane.comparison]
    margin = comparisons[0].margin
    reach = [1 / (1 + margin), 1 + margin]
    for one in comparisons:
        reach += [one.interval.low, one.interval.high] if one.interval else []
    axis = ratio_axis(reach, *RATIO)
    left, right = axis.at(reach[0]), axis.at(reach[1])
    heading = f"ratio to {comparisons[0].baseline}, 95 % interval; band: margin ±{margin * 100:g} %"
    parts = [
        tag("rect", x=left, y=TOP - 6, width=right - left, height=bottom - TOP + 6, class_="band"),
        _grid(axis, bottom, [f"{tick:g}" for tick in axis.ticks]),
        tag("line", x1=axis.at(1), x2=axis.at(1), y1=TOP - 6, y2=bottom, class_="one"),
        tag("text", heading, x=axis.left - 30, y=14, class_="head"),
    ]
    for index, lane in enumerate(lanes):
        top = TOP + ROW * index
        parts.append(tag("line", x1=axis.left - 30, x2=axis.right, y1=top, y2=top, class_="lane"))
        if lane.comparison:
            parts.append(_whisker(lane.comparison, lane.colour, axis, top + ROW / 2))
    return join(*parts)


def _whisker(one: Comparison, colour: int, axis: Axis, y: float) -> Markup:
    ratio = _ratio(one)
    if ratio is None:
        return Markup("")
    if one.interval is None:  # one pair says nothing about spread, and would only stretch the axis
        words = f"{digits(ratio, 2)}, {one.blocks} block{'' if one.blocks == 1 else 's'}: no interval, not drawn"
        return tag("text", words, x=axis.left - 30, y=y + 4)
    hollow = " hollow" if one.verdict is Verdict.NO_VERDICT else ""
    words = f"{one.environment}: {ratio_in_words(one.interval)}"
    point = tag("circle", tag("title", words), cx=axis.at(ratio), cy=y, r=5.0, class_=f"ratio c{colour}{hollow}")
    low, high = axis.at(one.interval.low), axis.at(one.interval.high)
    stroke = f"whisker c{colour}"
    return join(
        tag("line", x1=low, x2=high, y1=y, y2=y, class_=stroke),
        tag("line", x1=low, x2=low, y1=y - 6, y2=y + 6, class_=stroke),
        tag("line", x1=high, x2=high, y1=y - 6, y2=y + 6, class_=stroke),
        point,
    )


def _ratio(one: Comparison) -> float | None:
    if one.interval:
        return one.interval.ratio
    if one.states or one.baseline_states:  # no single number
        return None
    if one.value is None or not one.baseline_value or one.value / one.baseline_value <= 0:
        return None
    return one.value / one.baseline_value


def _shortened(label: str) -> str:
    return label if len(label) <= 18 else f"{label[:17]}…"
