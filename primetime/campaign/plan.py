"""The plan: block k as a pure function of (study, seed, k, points still open).

Orders come from SHA-256 of (seed, block, what is ordered), not from a library's generator, so that the
same seed gives the same plan on every version of Python. What is hot or dirty after one environment reaches the
next one, so environments stand in rows of a Williams square (williams.py): every so many blocks each has had every
place, and each other one before it, equally often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence, Set

from primetime.campaign.williams import williams_rows
from primetime.model import Block, Role, Slot, Study


def plan_block(study: Study, seed: int, index: int, open_points: Sequence[str], one_block: Set[str]) -> Block:
    """Plan block `index` (from 1): every environment once per point group, each in a random, balanced order.

    `open_points`: names of the points that are still measured; `one_block`: labels of environments that
    are only measured in the first `blocks.emulated` blocks, one by default (emulated ones, contract §8). All
    environments of a block and group measure the same points in the same order. Where the study asks for it, the
    baseline has one place more: the difference that nothing makes (A/A).
    """
    places = {spec.label: (spec.label, Role.MAIN) for spec in study.environments}
    if study.stopping.aa and not study.smoke:
        places[f"{study.baseline} {Role.AA}"] = (study.baseline, Role.AA)
    always = [place for place, (label, _) in places.items() if label not in one_block]
    once = [
        place for place, (label, _) in places.items() if label in one_block and index <= study.stopping.emulated_blocks
    ]
    slots: list[Slot] = []
    for group in sorted({point.group for point in study.points if point.name in open_points}):
        members = [point.name for point in study.points if point.group == group and point.name in open_points]
        points = point_order(study, members, f"{seed} {index} {group}")
        key = f"{seed} {group} once" if index == 1 else f"{seed} {group} once {index}"
        order = with_others(balanced(always, index, f"{seed} {group}"), once, key)
        for place in order:
            label, role = places[place]
            slots.append(Slot(index, len(slots) + 1, label, role, group, points))
    return Block(index, tuple(slots))


def point_order(study: Study, members: Sequence[str], key: str) -> tuple[str, ...]:
    """Return the points in a random order; with several iterations, once all of them in an order of its own each."""
    passes = 1 if study.smoke else study.stopping.iterations
    keys = [f"{key} points", *(f"{key} points {again}" for again in range(1, passes))]
    return tuple(name for one in keys for name in shuffled(members, one))


def balanced(places: Sequence[str], index: int, key: str) -> list[str]:
    """Return the places in the order of block `index`: one row of a Williams square with random labels.

    The rows of a square come in random order; the next square has other labels. With an odd number of places the
    square has twice as many rows, the second half being the first in reverse.
    """
    rows = williams_rows(len(places))
    count = len(places)
    cycle, within = divmod(index - 1, max(1, len(rows)))
    labels = shuffled(places, f"{key} {cycle} labels")
    half, place = divmod(within, max(1, count))
    numbers = [str(number) for number in range(half * count, (half + 1) * count)]
    turn = shuffled(numbers, f"{key} {cycle} rows")
    return [labels[number] for number in rows[int(turn[place])]] if rows else []


def with_others(order: Sequence[str], others: Iterable[str], key: str) -> list[str]:
    """Return the order with others put in at random places."""
    found = list(order)
    for other in shuffled(others, key):
        place = int.from_bytes(hashlib.sha256(f"{key} {other} place".encode()).digest()[:8], "big")
        found.insert(place % (len(found) + 1), other)
    return found


def shuffled(items: Iterable[str], key: str) -> list[str]:
    """Return the items in an order that depends only on `key` and on the set of items."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{key} {item}".encode()).digest())
