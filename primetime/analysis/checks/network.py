"""Contract §4: a peer on the same machine measures memory copies, not a network."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import scope_of
from primetime.model import QualityWarning, Severity

NETWORK_WORKLOADS = frozenset({"netperf", "iperf3"})
SAME_MACHINE = "namespace"
THROUGHPUT_UNIT = "bit/s"


def memcpy_network(data: CampaignData) -> Iterator[QualityWarning]:
    """With the peer on the same machine there is no verdict on throughput."""
    if data.study.peer != SAME_MACHINE:
        return
    for record in data.points.values():
        primary = data.metrics.get(record.name, {}).get(record.primary)
        if record.point.workload not in NETWORK_WORKLOADS or primary is None:
            continue
        if primary.unit == THROUGHPUT_UNIT:
            sentence = f"the peer of {record.name} is on the same machine: its throughput is that of memory copies"
            scope = scope_of(point=record.name, metric=primary.name)
            yield QualityWarning("memcpy-network", Severity.FORBIDS, scope, sentence)
        else:
            sentence = f"the peer of {record.name} is on the same machine: no wire and no second device take part"
            yield QualityWarning("memcpy-network", Severity.NOTE, scope_of(point=record.name), sentence)
