"""ladder: a known share of every CPU, inside the environment: what power is fitted on (contract §10).

    [[points]]
    workload = "ladder"
    level = [0, 25, 50, 75, 100]     # per cent: a point per level
    duration = "10s"                 # lengthened for the meter at hand

Every CPU that the environment sees is busy for that share of each 20 ms. What the host's CPUs really did is
measured; the level only spreads the points.
"""

from __future__ import annotations

from collections.abc import Mapping

from primetime.errors import UserError
from primetime.model import Measurement, Point, Recipe, Scalar, Site, Step, TrialData, Where
from primetime.workloads.base import GRACE_S, Kind, Parameter, Workload

PERIOD_S = 0.02
FULL = 100  # per cent
PROGRAM = """
import os, sys, time
share, seconds, period = (float(word) for word in sys.argv[1:4])
end = time.monotonic() + seconds
children = []
for _ in range(len(os.sched_getaffinity(0)) - 1):
    child = os.fork()
    if not child:
        children = None
        break
    children.append(child)
due = time.monotonic()
while due < end:
    while time.monotonic() < due + share * period:
        pass
    due += period
    time.sleep(max(0.0, due - time.monotonic()))
for child in children or ():
    os.waitpid(child, 0)
"""


class Ladder(Workload):
    """See the module."""

    name = "ladder"
    summary = "a known CPU load, to see what power follows"
    parameters = (
        Parameter("level", Kind.INT, 100, "per cent of every CPU: 0 to 100"),
        Parameter("duration", Kind.DURATION, 10.0, "length of the window", least=1.0),
    )

    def check(self, where: str, given: Mapping[str, object]) -> dict[str, Scalar]:
        params = super().check(where, given)
        if int(params["level"]) > FULL:
            raise UserError(f"{where}: level is per cent of every CPU, not {given['level']!r}", f"at most {FULL}")
        return params

    def recipe(self, point: Point, site: Site) -> Recipe:
        seconds = 1.0 if site.smoke else float(point.params["duration"])
        share = min(FULL, float(point.params["level"])) / FULL  # campaigns begun before hold more
        return Recipe(run=(step(share, seconds, "ladder"),), warm=(step(0.0, 0.0, "warm"),), duration_s=seconds)

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:  # noqa: ARG002
        return ()

    def primary(self, point: Point) -> str:  # noqa: ARG002
        return "cpu_busy"


def step(share: float, seconds: float, name: str) -> Step:
    """The program at one level."""
    argv = ("python3", "-c", PROGRAM, f"{share:g}", f"{seconds:g}", f"{PERIOD_S:g}")
    return Step(Where.TARGET, argv, name, seconds + GRACE_S)
