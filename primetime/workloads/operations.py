"""What file operations gave, in the metrics that `files` and `filebench` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from primetime.errors import TrialFailed
from primetime.model import Direction, Measurement, Metric, MetricKind

READ_RATE = Metric("read_rate", "B/s", Direction.HIGHER, MetricKind.RATE)
WRITE_RATE = Metric("write_rate", "B/s", Direction.HIGHER, MetricKind.RATE)
READ_SIZE = Metric("read_per_operation", "B", Direction.HIGHER, MetricKind.RATIO)
WRITE_SIZE = Metric("written_per_operation", "B", Direction.HIGHER, MetricKind.RATIO)
SYNCS = Metric("fsyncs_per_operation", "1", Direction.LOWER, MetricKind.RATIO)
RUNTIME = Metric("tool_duration", "s", Direction.LOWER, MetricKind.COST)
READ_KINDS = ("readwholefile", "read")
WRITE_KINDS = ("writewholefile", "write", "appendfile", "appendfilerand", "aiowrite")


RATE = "operation_rate"
DRAINED = "drained_operation_rate"


@dataclass(frozen=True, slots=True)
class Done:
    """One operation of a loop, all threads together. `kind`: Filebench's name of it; `mean_s`: its latency."""

    name: str
    kind: str
    count: int
    bytes: int
    mean_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run. `total`: operations on files, which may be fewer than those in `done`: pauses are none."""

    done: tuple[Done, ...]
    total: int
    seconds: float


def figures(run: Run, unit: str, drain_s: float) -> tuple[Measurement, ...]:
    """Return the measurements of a run; `unit` of its operations per second. TrialFailed where nothing was done."""
    total, seconds = run.total, run.seconds
    if total <= 0 or seconds <= 0:
        raise TrialFailed("no operation was completed")
    found = [
        Measurement(Metric(RATE, unit, Direction.HIGHER, MetricKind.RATE), total / seconds),
        Measurement(RUNTIME, seconds),
    ]
    if drain_s:  # contract §5: the acknowledged and the drained rate
        metric = Metric(DRAINED, unit, Direction.HIGHER, MetricKind.RATE)
        found.append(Measurement(metric, total / (seconds + drain_s)))
    for kinds, rate, share in ((READ_KINDS, READ_RATE, READ_SIZE), (WRITE_KINDS, WRITE_RATE, WRITE_SIZE)):
        amount = sum(one.bytes for one in run.done if one.kind in kinds)
        if amount:
            found += [Measurement(rate, amount / seconds), Measurement(share, amount / total)]
    syncs = sum(one.count for one in run.done if one.kind == "fsync")
    if syncs:
        found.append(Measurement(SYNCS, syncs / total))
    return (*found, *latencies(run.done))


def latencies(done: Sequence[Done]) -> list[Measurement]:
    """The mean latency of each kind of operation."""
    found = []
    for kind in dict.fromkeys(one.kind for one in done):
        counts = [(one.count, one.mean_s) for one in done if one.kind == kind]
        total = sum(count for count, _ in counts)
        if total:
            metric = Metric(f"{kind}_mean", "s", Direction.LOWER, MetricKind.COST)
            found.append(Measurement(metric, sum(count * mean for count, mean in counts) / total))
    return found
