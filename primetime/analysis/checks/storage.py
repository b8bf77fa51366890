"""Contract §1: who passes O_DIRECT on."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import scope_of
from primetime.model import EnvironmentSpec, QualityWarning, Severity


def host_cached(data: CampaignData) -> Iterator[QualityWarning]:
    """Where direct points go through the host's page cache.

    Bypass against cache is no comparison of environments (contract §2), so there is no verdict on them.
    """
    direct = [record.name for record in data.points.values() if record.point.params.get("direct") is True]
    for label, record in data.environments.items():
        if passes_direct_on(record.spec):
            continue
        for point in direct:
            if data.done(point, label):
                sentence = (
                    f"{label} does not pass O_DIRECT on: in {point} it reads and writes the host's page cache, "
                    "the baseline the device"
                )
                yield QualityWarning("host-cached", Severity.FORBIDS, scope_of(label, point), sentence)


def passes_direct_on(spec: EnvironmentSpec) -> bool:
    """Whether what an environment reads and writes directly goes past the host's page cache.

    gVisor opens files without it; so does virtiofsd unless it is told otherwise, which Kata does not; of Kata's
    block devices those are opened directly that its setting `cache` says so of, and Firecracker's never.
    """
    if spec.kind == "kata":
        settings = spec.settings
        block = settings.get("snapshotter", "devmapper") == "devmapper"
        return block and settings.get("hypervisor", "qemu") != "fc" and settings.get("cache", "safe") == "safe"
    return spec.kind != "gvisor"
