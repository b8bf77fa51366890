"""Laws of the plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.campaign.estimate import estimate_study
from primetime.campaign.plan import plan_block, shuffled
from primetime.campaign.study_file import load_study
from primetime.model import Block, Point

STUDY = load_study("quick")
NAMES = [point.name for point in STUDY.points]
LABELS = {spec.label for spec in STUDY.environments}
SEEDS = st.integers(0, 2**32 - 1)
INDICES = st.integers(1, 40)


def planned(seed: int, index: int, one_block: frozenset[str] = frozenset()) -> Block:
    return plan_block(STUDY, seed, index, NAMES, one_block)


@given(SEEDS, INDICES)
def test_every_environment_once_with_the_same_point_order(seed: int, index: int) -> None:
    block = planned(seed, index)
    assert {slot.environment for slot in block.slots} == LABELS
    assert len(block.slots) == len(LABELS)
    assert len({slot.points for slot in block.slots}) == 1
    assert sorted(block.slots[0].points) == sorted(NAMES)
    assert [slot.ord for slot in block.slots] == list(range(1, len(LABELS) + 1))


@given(SEEDS, INDICES)
def test_a_block_is_a_pure_function_whatever_came_before(seed: int, index: int) -> None:
    for earlier in range(1, index):
        planned(seed, earlier)
    assert planned(seed, index) == planned(seed, index)


@given(SEEDS, INDICES)
def test_order_does_not_depend_on_the_study_files_order(seed: int, index: int) -> None:
    turned = replace(STUDY, environments=STUDY.environments[::-1], points=STUDY.points[::-1])
    assert plan_block(turned, seed, index, NAMES[::-1], frozenset()) == planned(seed, index)


@given(SEEDS, INDICES, st.sets(st.sampled_from(NAMES), min_size=1))
def test_retired_points_are_left_out(seed: int, index: int, still_open: set[str]) -> None:
    block = plan_block(STUDY, seed, index, sorted(still_open), frozenset())
    assert all(set(slot.points) == still_open for slot in block.slots)


@given(SEEDS, st.integers(2, 40))
def test_emulated_environments_only_in_block_one(seed: int, index: int) -> None:
    assert "qemu" in {slot.environment for slot in planned(seed, 1, frozenset({"qemu"})).slots}
    assert "qemu" not in {slot.environment for slot in planned(seed, index, frozenset({"qemu"})).slots}


@given(SEEDS, INDICES)
def test_point_groups_get_boots_of_their_own(seed: int, index: int) -> None:
    split = replace(STUDY, points=tuple(replace(point, group=n % 2) for n, point in enumerate(STUDY.points)))
    block = plan_block(split, seed, index, NAMES, frozenset())
    assert len(block.slots) == 2 * len(LABELS)
    assert sum(len(slot.points) for slot in block.slots) == len(NAMES) * len(LABELS)


def test_the_plan_of_a_seed_never_changes() -> None:
    """Frozen: another order would break the resume of campaigns that are under way."""
    assert shuffled("abcdef", "1 1 0 points") == ["c", "e", "b", "f", "d", "a"]


@pytest.mark.parametrize("aa", [False, True])
@given(seed=SEEDS, cycle=st.integers(0, 3))
def test_places_and_predecessors_are_balanced(seed: int, cycle: int, aa: bool) -> None:
    """Four environments (even) and, with the A/A slot, five places (odd): exactly, over every square."""
    study = replace(STUDY, stopping=replace(STUDY.stopping, aa=aa))
    places = len(LABELS) + aa
    rows = places * (2 if places % 2 else 1)
    blocks = [plan_block(study, seed, cycle * rows + row, NAMES, frozenset()) for row in range(1, rows + 1)]
    orders = [[(slot.environment, slot.role) for slot in block.slots] for block in blocks]
    at = Counter((place, who) for order in orders for place, who in enumerate(order))
    pairs = Counter(pair for order in orders for pair in pairwise(order))
    assert len(at) == places * places
    assert set(at.values()) == {rows // places}
    assert len(pairs) == places * (places - 1)
    assert set(pairs.values()) == {rows // places}


@given(SEEDS)
def test_every_half_of_an_odd_square_has_every_place_once(seed: int) -> None:
    """So that ten blocks of five places are balanced twice over."""
    study = replace(STUDY, stopping=replace(STUDY.stopping, aa=True))
    for start in (1, 6):
        orders = [plan_block(study, seed, start + row, NAMES, frozenset()).slots for row in range(5)]
        firsts = {(order[0].environment, order[0].role) for order in orders}
        assert len(firsts) == 5


def test_squares_of_a_seed_are_not_all_alike() -> None:
    orders = {tuple(slot.environment for slot in planned(7, 1 + 4 * cycle).slots) for cycle in range(40)}
    assert len(orders) > 10


@given(SEEDS, st.integers(1, 5))
def test_iterations_repeat_all_points(seed: int, iterations: int) -> None:
    study = replace(STUDY, stopping=replace(STUDY.stopping, iterations=iterations))
    points = plan_block(study, seed, 1, NAMES, frozenset()).slots[0].points
    passes = [points[at : at + len(NAMES)] for at in range(0, len(points), len(NAMES))]
    assert len(passes) == iterations
    assert all(sorted(one) == sorted(NAMES) for one in passes)
    assert passes[0] == planned(seed, 1).slots[0].points


def test_estimate_counts_every_cell() -> None:
    estimate = estimate_study(STUDY, frozenset({"qemu"}))
    assert estimate.trials == (3 * 5 + 1) * 4
    assert estimate.bytes_written > 0
    assert estimate.seconds < 300


def test_more_points_cost_more() -> None:
    more = replace(STUDY, points=(*STUDY.points, Point("more", "fio", {**STUDY.points[0].params, "bs": 8192})))
    assert estimate_study(more, frozenset()).seconds > estimate_study(STUDY, frozenset()).seconds
