"""Direct I/O is compared where both sides go the same way, and where they do not, what is said is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from made_campaign import READ, WRITE, Making, make_campaign

from primetime.analysis import Analysis, analyse
from primetime.analysis.checks.storage import cache_modes_mixed, host_cached
from primetime.analysis.data import CampaignData, load
from primetime.campaign.study_file import load_study
from primetime.environments import kinds
from primetime.model import Comparison, Fact, Params, Scalar, Verdict

BUFFERED: Mapping[str, Params] = {
    "qemu": {"cache": "writeback"},
    "qemu-microvm": {"cache": "unsafe"},
    "runc-in-vm": {"cache": "writethrough"},
    "kata": {"cache": "unsafe"},
}
PAST = ("native", "runc", "crun", "docker", "containerd-runc", "qemu", "qemu-microvm", "runc-in-vm", "kata")
THROUGH = ("firecracker", "cloud-hypervisor", "gvisor")


def made(path: Path, **changes: object) -> Making:
    making = replace(Making(kinds={kind: kind for kind in kinds()}, points=(READ, WRITE)), **changes)  # type: ignore[arg-type]
    make_campaign(path, making)
    return making


def said(data: CampaignData) -> dict[str, str]:
    """What is said of each environment's direct point."""
    warnings = [*cache_modes_mixed(data), *host_cached(data)]
    assert all(warning.scope.endswith(f"point:{READ.name}") for warning in warnings)
    return {warning.scope.partition(",")[0].removeprefix("environment:"): warning.sentence for warning in warnings}


def proved(data: CampaignData, label: str, *values: Scalar) -> CampaignData:
    """What the boots of an environment showed, in turn."""
    boots = [boot.boot for boot in data.boots if boot.environment == label]
    facts = tuple(
        Fact("bypasses_host_cache", values[at % len(values)], "boot", str(boot)) for at, boot in enumerate(boots)
    )
    return replace(data, facts=(*data.facts, *facts))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.sqlite"


def test_of_every_kind_as_it_comes(path: Path) -> None:
    made(path, blocks=1)
    found = said(load(path))
    assert set(found) == set(THROUGH)
    assert set(PAST) | set(THROUGH) == set(kinds())
    for label in ("firecracker", "cloud-hypervisor"):
        assert found[label] == f"in {READ.name} {label} reads and writes the host's page cache, native the device"
    assert found["gvisor"].startswith("gvisor does not pass O_DIRECT on: ")


def test_of_every_kind_whose_cache_can_be_set(path: Path) -> None:
    made(path, blocks=1, settings={**BUFFERED, "cloud-hypervisor": {"direct": True}})
    assert set(said(load(path))) == {*BUFFERED, "firecracker", "gvisor"}


def test_what_a_boot_proved_counts_more(path: Path) -> None:
    made(path, blocks=2)
    data = proved(proved(load(path), "kata", False), "cloud-hypervisor", True)
    found = said(data)
    assert "kata reads and writes the host's page cache" in found["kata"]
    assert "cloud-hypervisor" not in found


def test_what_nobody_knows_is_not_taken_for_either(path: Path) -> None:
    made(path, blocks=2, kinds={"native": "native", "kata": "kata"}, settings={"kata": {"cache": "kata-default"}})
    data = load(path)
    assert said(data) == {"kata": f"whether kata goes past the host's page cache in {READ.name} is not known"}
    assert said(proved(data, "kata", True)) == {}
    assert "is not known" in said(proved(data, "kata", True, False))["kata"]


def test_an_older_campaign_says_nothing_of_it(path: Path) -> None:
    made(path, blocks=1)
    assert said(replace(load(path), facts=())) == {}


def primary(analysis: Analysis) -> dict[tuple[str, str], Comparison]:
    return {(one.environment, one.point): one for one in analysis.comparisons if one.primary}


def test_the_studys_own_matrix(path: Path) -> None:
    study = load_study("microvm-on-edge")
    making = Making(
        kinds={spec.label: spec.kind for spec in study.environments},
        settings={spec.label: spec.settings for spec in study.environments},
        points=tuple(point for point in study.points if point.workload == "fio"),
        blocks=1,
    )
    found = primary(analyse(make_campaign(path, making)))
    direct = {point.name for point in making.points if point.params["direct"]}
    assert direct
    for (label, point), one in found.items():
        mixed = label in ("firecracker", "firecracker-default") and point in direct
        assert ("cache-modes-mixed" in one.warnings) == mixed, (label, point)
        assert ("the host's page cache" in one.reason) == mixed, (label, point)


def test_like_is_compared_with_like(path: Path) -> None:
    kinds_of = {"native": "native", "qemu": "qemu", "buffered": "qemu", "firecracker": "firecracker"}
    made(path, kinds=kinds_of, settings={"buffered": {"cache": "writeback"}})
    found = primary(analyse(path))
    for label in ("firecracker", "buffered"):
        assert found[label, READ.name].verdict is Verdict.NO_VERDICT
        assert found[label, WRITE.name].verdict is not Verdict.NO_VERDICT
    assert found["qemu", READ.name].verdict is not Verdict.NO_VERDICT
    found = primary(analyse(path, baseline="buffered"))
    assert found["firecracker", READ.name].verdict is not Verdict.NO_VERDICT
    assert found["qemu", READ.name].verdict is Verdict.NO_VERDICT
