"""idle: what an environment costs that is up and does nothing.

    [[points]]
    workload = "idle"
    duration = "10s"

Its figures are the instruments': CPU time of the whole host and of the environment over the window.
"""

from __future__ import annotations

from primetime.model import Direction, Measurement, Metric, MetricKind, Point, Recipe, Site, TrialData
from primetime.workloads.base import Kind, Parameter, Workload

FOOTPRINT = Metric("footprint", "B", Direction.LOWER, MetricKind.COST)


class Idle(Workload):
    """See the module."""

    name = "idle"
    summary = "the cost of being up"
    parameters = (Parameter("duration", Kind.DURATION, 10.0, "length of the window", least=1.0),)

    def recipe(self, point: Point, site: Site) -> Recipe:
        seconds = 1.0 if site.smoke else float(point.params["duration"])
        return Recipe(hold_s=seconds, duration_s=seconds)

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:  # noqa: ARG002
        return (Measurement(FOOTPRINT, data.boot["footprint_bytes"]),)

    def primary(self, point: Point) -> str:  # noqa: ARG002
        return "cpu_busy"
