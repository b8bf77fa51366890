"""Contract §1, §2: direct I/O that bypasses the host's page cache on one side of a comparison and not on the other."""

from __future__ import annotations

from collections.abc import Iterator

from primetime.analysis.data import CampaignData
from primetime.analysis.scope import scope_of
from primetime.analysis.told import Value, boot_values, environment_fact
from primetime.model import QualityWarning, Severity

BYPASSES = "bypasses_host_cache"  # an environment says it of itself; what a boot proves counts more
WAYS = {True: "the device", False: "the host's page cache"}


def cache_modes_mixed(data: CampaignData) -> Iterator[QualityWarning]:
    """Direct points whose two sides do not go the same way, or not a known one: bypass is compared with bypass only."""
    base = data.baseline
    theirs = bypasses(data, base)
    for label in data.environments:
        mine = bypasses(data, label)
        for point in direct_points(data, label) if label != base and said_of(data, label, base) else ():
            if mine is None or theirs is None:
                who = label if mine is None else base
                sentence = f"whether {who} goes past the host's page cache in {point} is not known"
            elif mine != theirs and not takes_direct_away(data, label):
                sentence = f"in {point} {label} reads and writes {WAYS[mine]}, {base} {WAYS[theirs]}"
            else:
                continue
            yield QualityWarning("cache-modes-mixed", Severity.FORBIDS, scope_of(label, point), sentence)


def host_cached(data: CampaignData) -> Iterator[QualityWarning]:
    """The same where it is the environment's own kernel that does not pass O_DIRECT on: nothing can be set there."""
    base = data.baseline
    for label in data.environments:
        mixed = takes_direct_away(data, label) and label != base and bypasses(data, base) is True
        for point in direct_points(data, label) if mixed else ():
            sentence = (
                f"{label} does not pass O_DIRECT on: in {point} it reads and writes {WAYS[False]}, {base} {WAYS[True]}"
            )
            yield QualityWarning("host-cached", Severity.FORBIDS, scope_of(label, point), sentence)


def direct_points(data: CampaignData, label: str) -> list[str]:
    """The points with O_DIRECT that an environment finished."""
    direct = [record.name for record in data.points.values() if record.point.params.get("direct") is True]
    return [point for point in direct if data.done(point, label)]


def takes_direct_away(data: CampaignData, label: str) -> bool:
    """Whether an environment is known to serve direct I/O from the host's page cache by its nature."""
    return data.environments[label].spec.kind == "gvisor" and bypasses(data, label) is False


def said_of(data: CampaignData, *labels: str) -> bool:
    """Whether these environments were asked at all: nobody could ask a foreign campaign's."""
    asked = {fact.scope_id for fact in data.facts_of("environment", BYPASSES)}
    return asked.issuperset(labels)


def bypasses(data: CampaignData, label: str) -> bool | None:
    """Whether direct I/O goes past the host's page cache: as all boots proved it, else as the environment has it."""
    proved: set[Value] = set(boot_values(data, BYPASSES).get(label, ()))
    stated = environment_fact(data, label, BYPASSES)
    [one] = proved if len(proved) == 1 else [stated if not proved else None]
    return one if isinstance(one, bool) else None
