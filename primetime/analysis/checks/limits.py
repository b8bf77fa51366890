"""Contract §2 and §3: limits are proved in every boot, and a VMM's memory is capped."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import scope_of
from primetime.model import BootStatus, QualityWarning, Severity

VMM_KINDS = frozenset({"qemu", "qemu-microvm", "firecracker", "cloud-hypervisor", "kata", "runc-in-vm"})
LIMIT_FACT = "limits."
CAP_FACT = "vmm_cap_bytes"


def unproved_limits(data: CampaignData) -> Iterator[QualityWarning]:
    """Boots whose facts show no proof of their limits."""
    proved = {fact.scope_id for fact in data.facts if fact.scope == "boot" and fact.name.startswith(LIMIT_FACT)}
    for label, boots in _finished(data).items():
        bare = [boot for boot in boots if str(boot) not in proved]
        if bare:
            sentence = f"{label}: {len(bare)} of {len(boots)} boots carry no proof that their limits held"
            figures: dict[str, float | str] = {"boots": float(len(bare)), "of": float(len(boots))}
            yield QualityWarning("limits-unproved", Severity.WARNING, scope_of(label), sentence, figures)


def uncapped_vmm(data: CampaignData) -> Iterator[QualityWarning]:
    """A VMM without a memory cap may use the host's page cache beyond the budget."""
    capped = {fact.scope_id for fact in data.facts if fact.scope == "boot" and fact.name.endswith(CAP_FACT)}
    for label, boots in _finished(data).items():
        if data.environments[label].spec.kind in VMM_KINDS and not capped.issuperset(map(str, boots)):
            sentence = f"the memory of {label}'s VMM was not capped: it may have used more than its budget"
            yield QualityWarning("vmm-uncapped", Severity.FORBIDS, scope_of(label), sentence)


def _finished(data: CampaignData) -> dict[str, list[int]]:
    """Return the boots that ended well, by environment."""
    found: dict[str, list[int]] = {}
    for boot in data.boots:
        if boot.status is BootStatus.DONE:
            found.setdefault(boot.environment, []).append(boot.boot)
    return found
