"""Contract §1: who passes O_DIRECT on."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import scope_of
from primetime.model import QualityWarning, Severity


def host_cached(data: CampaignData) -> Iterator[QualityWarning]:
    """gVisor does not pass O_DIRECT on: its direct points go through the host's page cache.

    Bypass against cache is no comparison of environments (contract §2), so there is no verdict on them.
    """
    direct = [record.name for record in data.points.values() if record.point.params.get("direct") is True]
    for label, record in data.environments.items():
        if record.spec.kind != "gvisor":
            continue
        for point in direct:
            if data.done(point, label):
                sentence = (
                    f"{label} does not pass O_DIRECT on: in {point} it reads and writes the host's page cache, "
                    "the baseline the device"
                )
                yield QualityWarning("host-cached", Severity.FORBIDS, scope_of(label, point), sentence)
