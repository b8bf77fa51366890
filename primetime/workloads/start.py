"""start: how long an environment takes to run its first process, and what memory it then takes.

    [[points]]
    workload = "start"

Nothing is run: every boot is timed anyway (contract §9), from before the first of our commands that
starts it to the stamp of the first process of the userland.
"""

from __future__ import annotations

from primetime.model import Direction, Measurement, Metric, MetricKind, Point, Recipe, Site, TrialData
from primetime.workloads.base import Workload

READY = Metric("ready", "s", Direction.LOWER, MetricKind.COST)
FOOTPRINT = Metric("footprint", "B", Direction.LOWER, MetricKind.COST)


class Start(Workload):
    """See the module."""

    name = "start"
    summary = "time to the first process, and memory footprint"

    def recipe(self, point: Point, site: Site) -> Recipe:  # noqa: ARG002 - there is nothing to run
        return Recipe()

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:  # noqa: ARG002
        return (
            Measurement(READY, data.boot["ready_s"]),
            Measurement(FOOTPRINT, data.boot["footprint_bytes"]),
        )

    def primary(self, point: Point) -> str:  # noqa: ARG002
        return READY.name
