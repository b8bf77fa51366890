"""fake: asks a fake environment for its known rate; for tests of everything around a workload.

[[points]]
workload = "fake"
name = "work"
"""

from __future__ import annotations

import json

from primetime.errors import TrialFailed
from primetime.model import (
    Direction,
    Measurement,
    Metric,
    MetricKind,
    Point,
    Recipe,
    Site,
    Step,
    TrialData,
    Where,
)
from primetime.workloads.base import Kind, Parameter, Workload
from primetime.workloads.pacing import kept_rate, why_unknown

RATE = Metric("rate", "1/s", Direction.HIGHER, MetricKind.RATE)


class FakeWorkload(Workload):
    """See the module."""

    name = "fake"
    summary = "a known rate, for tests"
    parameters = (
        Parameter("writes", Kind.BOOL, False, "whether its window ends with a drain"),
        Parameter("rate", Kind.INT, 0, "what it keeps to, a second; 0: as fast as it goes", share=True),
    )

    def skip_reason(self, point: Point, site: Site) -> str:  # noqa: ARG002 - a fake has no site
        return why_unknown(point)

    def recipe(self, point: Point, site: Site) -> Recipe:  # noqa: ARG002 - a fake has no site
        step = Step(Where.TARGET, ("fake-work", point.name), "fake.json", 1.0)
        return Recipe(run=(step,), duration_s=0.0, writes=bool(point.params["writes"]))

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:
        try:
            rate = float(json.loads(data.output("fake.json").stdout)["rate"])
        except (ValueError, LookupError, TypeError) as error:
            raise TrialFailed(f"no rate in the output ({error})") from None
        kept = kept_rate(point.params)
        return (Measurement(RATE, min(rate, kept) if kept else rate),)

    def primary(self, point: Point) -> str:  # noqa: ARG002
        return RATE.name
