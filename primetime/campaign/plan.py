"""The plan: block k as a pure function of (study, seed, k, points still open).

Orders come from SHA-256 of (seed, block, what is ordered), not from a library's generator, so that the
same seed gives the same plan on every version of Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence, Set

from primetime.model import Block, Role, Slot, Study


def plan_block(study: Study, seed: int, index: int, open_points: Sequence[str], one_block: Set[str]) -> Block:
    """Plan block `index` (from 1): every environment once per point group, each in a random order.

    `open_points`: names of the points that are still measured; `one_block`: labels of environments that
    are only measured in block 1 (emulated ones, contract §8). All environments of a block and group
    measure the same points in the same order. Where the study asks for it, the baseline has one place more:
    the difference that nothing makes (A/A).
    """
    labels = [spec.label for spec in study.environments if index == 1 or spec.label not in one_block]
    slots: list[Slot] = []
    for group in sorted({point.group for point in study.points if point.name in open_points}):
        members = [point.name for point in study.points if point.group == group and point.name in open_points]
        points = shuffled(members, f"{seed} {index} {group} points")
        places = {label: (label, Role.MAIN) for label in labels}
        if study.stopping.aa and not study.smoke:
            places[f"{study.baseline} {Role.AA}"] = (study.baseline, Role.AA)
        for place in shuffled(places, f"{seed} {index} {group} environments"):
            label, role = places[place]
            slots.append(Slot(index, len(slots) + 1, label, role, group, tuple(points)))
    return Block(index, tuple(slots))


def shuffled(items: Iterable[str], key: str) -> list[str]:
    """Return the items in an order that depends only on `key` and on the set of items."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{key} {item}".encode()).digest())
