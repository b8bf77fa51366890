"""What a study is said to cost before it runs: never less than its rules let it take."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.campaign.estimate import (
    LAYOUT_RATE,
    PLANNED_SITE,
    USERLAND_BYTES,
    boot_cost,
    estimate_study,
    format_bytes,
)
from primetime.campaign.study_file import load_study
from primetime.host.thin_pool import METADATA_BYTES
from primetime.model import EnvironmentSpec, Scalar, Study

QUICK = load_study("quick")
NONE: frozenset[str] = frozenset()


def with_budget(seconds: float, most: int = 40) -> Study:
    return replace(QUICK, stopping=replace(QUICK.stopping, max_blocks=most, budget_s=seconds))


def seconds_of(study: Study, blocks: int) -> float:
    """The time of so many blocks, whatever the budget."""
    return estimate_study(
        replace(study, stopping=replace(study.stopping, max_blocks=blocks, budget_s=1e9)), NONE
    ).seconds


@given(st.floats(0, 1e5), st.integers(1, 40))
def test_the_budget_bounds_the_time_and_nothing_else(budget: float, most: int) -> None:
    """The law of `stopping.stop_reason`: no block begins after the budget, one that began before is finished."""
    estimate = estimate_study(with_budget(budget, most), NONE)
    one = seconds_of(QUICK, 1)
    assert one * (1 - 1e-9) <= estimate.seconds <= max(one, budget + one) * (1 + 1e-9)
    free = estimate_study(with_budget(1e9, most), NONE)
    assert estimate.seconds <= free.seconds
    assert (estimate.trials, estimate.bytes_written) == (free.trials, free.bytes_written)


def test_every_block_costs_the_same() -> None:
    assert seconds_of(QUICK, 40) == pytest.approx(40 * seconds_of(QUICK, 1))


def test_emulated_environments_cost_one_block() -> None:
    study = with_budget(1e9, most=3)
    assert estimate_study(study, {"qemu"}).trials == (3 * 3 + 1) * 4
    everything = {spec.label for spec in study.environments}
    assert estimate_study(study, everything).trials == 4 * 4


def test_smoke_is_one_block_of_one_second_trials() -> None:
    points = tuple(replace(point, params={**point.params, "runtime": 600.0}) for point in QUICK.points)
    slow = replace(QUICK, points=points)
    smoke = replace(slow, smoke=True)
    assert estimate_study(smoke, NONE).trials == 4 * 4
    assert estimate_study(smoke, NONE).seconds < 120 < 4 * 4 * 600 < seconds_of(slow, 1)
    assert estimate_study(smoke, NONE).bytes_written < estimate_study(slow, NONE).bytes_written


def of_kinds(mode: str, precondition: bool, **environments: dict[str, Scalar]) -> Study:
    """One block of quick's points in these environments."""
    specs = tuple(
        EnvironmentSpec(kind.replace("_", "-"), kind.replace("_", "-"), one) for kind, one in environments.items()
    )
    return replace(
        with_budget(1e9, most=1),
        environments=specs,
        volume=replace(QUICK.volume, mode=mode),
        flash=replace(QUICK.flash, precondition=precondition),
    )


SIZE = QUICK.volume.size_bytes
POOL = {"snapshotter": "devmapper", "pool_mib": 700}


@pytest.mark.parametrize(("mode", "writes_more"), [("image", 2 * SIZE), ("partition", SIZE)])
def test_preconditioning_is_counted(mode: str, writes_more: int) -> None:
    """A directory's region is filled and overwritten for it; a partition's is written in full in any case."""
    before, after = (estimate_study(of_kinds(mode, wanted, native={}), NONE) for wanted in (False, True))
    assert after.bytes_written - before.bytes_written == writes_more
    assert after.seconds - before.seconds == pytest.approx(2 * SIZE / LAYOUT_RATE)
    assert after.disk_bytes == before.disk_bytes == (SIZE if mode == "image" else 2 * SIZE)


def test_on_a_partition_everybodys_boots_format_it() -> None:
    _, _, of_image = boot_cost(of_kinds("image", False, runc={}), EnvironmentSpec("runc", "runc"), False, PLANNED_SITE)
    _, _, of_part = boot_cost(
        of_kinds("partition", False, runc={}), EnvironmentSpec("runc", "runc"), False, PLANNED_SITE
    )
    assert of_part - of_image == format_bytes(SIZE)


@pytest.mark.parametrize("kind", ["containerd_runc", "kata"])
def test_a_pool_takes_room_and_a_copy_of_the_userland_in_every_boot(kind: str) -> None:
    shared: dict[str, Scalar] = {"snapshotter": "overlayfs"}
    shared |= {"shared_fs": "virtio-fs"} if kind == "kata" else {}
    pooled, plain = (estimate_study(of_kinds("image", False, **{kind: one}), NONE) for one in (POOL, shared))
    assert pooled.disk_bytes - plain.disk_bytes == 700 * 2**20 + METADATA_BYTES
    assert pooled.bytes_written - plain.bytes_written == 2 * USERLAND_BYTES  # when it is tried, and in block 1


def test_what_is_left_out_costs_nothing() -> None:
    study = of_kinds("image", False, native={}, kata={})
    assert estimate_study(study, NONE, left_out={"kata"}) == estimate_study(of_kinds("image", False, native={}), NONE)


def test_every_boot_of_a_guest_formats_its_disk() -> None:
    by_label = {spec.label: spec for spec in QUICK.environments}
    _, _, of_guest = boot_cost(QUICK, by_label["qemu"], False, PLANNED_SITE)
    _, _, of_container = boot_cost(QUICK, by_label["runc"], False, PLANNED_SITE)
    assert of_guest - of_container == format_bytes(QUICK.volume.size_bytes) > 0
