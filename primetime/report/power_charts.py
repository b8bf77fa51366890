"""Two charts of power as inline SVG: power on CPU with a line per boot, and throughput on power with iso-efficiency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from primetime.analysis.cpu_power import Line
from primetime.analysis.quantities import digits, quantity
from primetime.report.axis import Axis, value_axis
from primetime.report.markup import Markup, join, tag

WIDTH, HEIGHT = 1000, 340
LEFT, RIGHT, TOP, BOTTOM = 90.0, 800.0, 24.0, 300.0
LEGEND = 820


@dataclass(frozen=True, slots=True)
class Dot:
    """One boot: power in W, and what it did in the meantime, per second."""

    environment: str
    watts: float
    rate: float


def cpu_power_chart(these: Sequence[Line], palette: Mapping[str, int]) -> Markup:
    """Every boot and level as a dot, every boot's line faint, the environments' mean lines bold."""
    points = [point for line in these for fit in line.fits for point in fit.points]
    across = value_axis([0.0, *(u for u, _ in points)], LEFT, RIGHT)
    up = value_axis([w for _, w in points], BOTTOM, TOP)
    parts = [frame(across, up, "busy CPUs of the host", "W")]
    for index, line in enumerate(these):
        colour = palette[line.environment]
        ends = (min(u for fit in line.fits for u, _ in fit.points), max(u for fit in line.fits for u, _ in fit.points))
        for fit in line.fits:
            parts.append(segment((across, up), ends, (fit.slope, fit.intercept), Stroke(colour, 0.35)))
        parts.append(segment((across, up), ends, (line.slope.value, line.intercept.value), Stroke(colour, 1.0)))
        parts += [dot(across.at(u), up.at(w), colour, f"{line.environment}: {digits(u)} CPUs, {quantity(w, 'W')}")
                  for fit in line.fits for u, w in fit.points]  # fmt: skip
        parts.append(legend(index, line.environment, colour))
    return drawn("power on CPU load", parts)


def iso_chart(dots: Sequence[Dot], palette: Mapping[str, int], unit: str, title: str) -> Markup:
    """Throughput on power; along a grey line through zero, work per joule is the same."""
    across = value_axis([0.0, *(one.watts for one in dots)], LEFT, RIGHT)
    up = value_axis([0.0, *(one.rate for one in dots)], BOTTOM, TOP)
    parts = [frame(across, up, "power", "W", unit)]
    best = max(one.rate / one.watts for one in dots)
    for share in (1.0, 0.75, 0.5, 0.25):
        steep = best * share
        reach = min(across.high, up.high / steep)
        parts.append(
            tag("line", x1=across.at(0), y1=up.at(0), x2=across.at(reach), y2=up.at(steep * reach), class_="grid")
        )
        parts.append(tag("text", f"{share:.0%}", x=across.at(reach) + 4, y=up.at(steep * reach) + 4, class_="tick"))
    labels = list(dict.fromkeys(one.environment for one in dots))
    parts += [dot(across.at(d.watts), up.at(d.rate), palette[d.environment], d.environment) for d in dots]
    parts += [legend(index, label, palette[label]) for index, label in enumerate(labels)]
    return drawn(title, parts)


def frame(across: Axis, up: Axis, below: str, unit: str, up_unit: str = "W") -> Markup:
    """Grid and numbers of both axes."""
    lines = []
    for tick in across.ticks:
        x = across.at(tick)
        lines += [tag("line", x1=x, x2=x, y1=TOP, y2=BOTTOM, class_="grid"),
                  tag("text", digits(tick), x=x, y=BOTTOM + 18, class_="tick")]  # fmt: skip
    for tick in up.ticks:
        y = up.at(tick)
        lines += [tag("line", x1=LEFT, x2=RIGHT, y1=y, y2=y, class_="grid"),
                  tag("text", quantity(tick, up_unit), x=LEFT - 8, y=y + 4, class_="label")]  # fmt: skip
    words = f"{below}, {unit}" if below == "power" else below
    return join(*lines, tag("text", words, x=(LEFT + RIGHT) / 2, y=HEIGHT - 4, class_="tick"))


@dataclass(frozen=True, slots=True)
class Stroke:
    """How a line is drawn."""

    colour: int
    opacity: float


def segment(frame_: tuple[Axis, Axis], ends: tuple[float, float], line: tuple[float, float], stroke: Stroke) -> Markup:
    """A straight line between two loads."""
    (across, up), (u0, u1), (slope, intercept) = frame_, ends, line
    return tag(
        "line",
        x1=across.at(u0),
        x2=across.at(u1),
        y1=up.at(intercept + slope * u0),
        y2=up.at(intercept + slope * u1),
        class_=f"whisker c{stroke.colour}",
        opacity=stroke.opacity,
    )


def dot(x: float, y: float, colour: int, words: str) -> Markup:
    """A boot."""
    return tag("circle", tag("title", words), cx=x, cy=y, r=3.4, class_=f"dot c{colour}")


def legend(index: int, label: str, colour: int) -> Markup:
    """An environment's colour."""
    y = TOP + 12 + 18 * index
    return join(
        tag("circle", cx=LEGEND, cy=y - 4, r=4, class_=f"dot c{colour}"), tag("text", label, x=LEGEND + 10, y=y)
    )


def drawn(title: str, parts: Sequence[Markup]) -> Markup:
    """The picture."""
    box = f"0 0 {WIDTH} {HEIGHT}"
    return tag("svg", tag("title", title), *parts, viewBox=box, role="img", class_="chart", aria_label=title)
