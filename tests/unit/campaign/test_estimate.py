"""What a study is said to cost before it runs: never less than its rules let it take."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.campaign.estimate import PLANNED_SITE, boot_cost, estimate_study, format_bytes
from primetime.campaign.study_file import load_study
from primetime.model import Study

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


def test_every_boot_of_a_guest_formats_its_disk() -> None:
    by_label = {spec.label: spec for spec in QUICK.environments}
    _, _, of_guest = boot_cost(QUICK, by_label["qemu"], False, PLANNED_SITE)
    _, _, of_container = boot_cost(QUICK, by_label["runc"], False, PLANNED_SITE)
    assert of_guest - of_container == format_bytes(QUICK.volume.size_bytes) > 0
