"""The five verdicts (methodology §4's table), and how many blocks they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from primetime.intervals import ALPHA, blocks_to_resolve, difference_p, equivalence_p
from primetime.model import Study, Verdict

QUICK_BLOCKS = 5  # simulated: the t interval covers from 5 blocks up, but stopping rules need more
FEWEST_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class AdjustedP:
    """The adjusted p-values of one comparison within its family."""

    difference: float  # of "the ratio is 1"
    equivalence: float  # of "the ratio lies outside the margin"
    family: int


def blocks_needed(study: Study) -> int:
    """Return how many paired blocks a verdict needs in this study."""
    return max(study.stopping.min_blocks, QUICK_BLOCKS if study.quick else FEWEST_BLOCKS)


def decide(tested: AdjustedP) -> Verdict:
    """Return the verdict that the two tests give together."""
    differs, inside = tested.difference <= ALPHA, tested.equivalence <= ALPHA
    if differs:
        return Verdict.NEGLIGIBLE if inside else Verdict.DIFFERENT
    return Verdict.COMPARABLE if inside else Verdict.NOT_RESOLVED


def further_blocks(d: Sequence[float], margin: float, family: int) -> int | None:
    """Return the blocks that are expected to resolve what is not resolved; None: over a thousand.

    What is resolved alone must still get through Holm's adjustment, at worst its first step.
    """
    alone = difference_p(d) <= ALPHA or equivalence_p(d, margin) <= ALPHA
    return blocks_to_resolve(d, margin, family if alone else 1)


def unresolved_reason(d: Sequence[float], margin: float, family: int) -> str:
    """Say what would resolve a comparison that is not resolved."""
    more = further_blocks(d, margin, family)
    if more is None:
        return "more than a thousand further blocks would be needed to resolve it"
    blocks = f"about {more} further block{'s' if more > 1 else ''} would resolve it"
    if difference_p(d) <= ALPHA or equivalence_p(d, margin) <= ALPHA:
        return f"resolved alone, but not after Holm's adjustment over {family} comparisons; {blocks}"
    return blocks
