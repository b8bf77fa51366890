"""Contract §4: a peer on the same machine measures memory copies, not a network."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData, PointRecord
from primetime.analysis.scope import CAMPAIGN, scope_of
from primetime.model import NETWORK_WORKLOADS, QualityWarning, Severity

SAME_MACHINE = "namespace"
THROUGHPUT_UNIT = "bit/s"


def streams_alone(data: CampaignData) -> Iterator[QualityWarning]:
    """Streams say little of what a path costs: request and response belongs beside them (netperf's own manual)."""
    tests = {str(record.point.params.get("test", "stream")) for record in data.points.values() if is_network(record)}
    if tests and "rr" not in tests:
        sentence = (
            "the study has streams without netperf's request and response beside them, which shows the path's cost"
        )
        yield QualityWarning("streams-alone", Severity.NOTE, CAMPAIGN, sentence)


def is_network(record: PointRecord) -> bool:
    """Whether a point is about the network."""
    return record.point.workload in NETWORK_WORKLOADS


def memcpy_network(data: CampaignData) -> Iterator[QualityWarning]:
    """With the peer on the same machine there is no verdict on throughput."""
    if data.study.peer != SAME_MACHINE:
        return
    for record in data.points.values():
        primary = data.metrics.get(record.name, {}).get(record.primary)
        if not is_network(record) or primary is None:
            continue
        if primary.unit == THROUGHPUT_UNIT:
            sentence = f"the peer of {record.name} is on the same machine: its throughput is that of memory copies"
            scope = scope_of(point=record.name, metric=primary.name)
            yield QualityWarning("memcpy-network", Severity.FORBIDS, scope, sentence)
        else:
            sentence = f"the peer of {record.name} is on the same machine: no wire and no second device take part"
            yield QualityWarning("memcpy-network", Severity.NOTE, scope_of(point=record.name), sentence)
