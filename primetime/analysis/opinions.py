"""Second opinions on a comparison: what would another method have said? (methodology §4, step 5)

Each gives an interval of its own and the verdict that this comparison alone would get from it. Where one of them
disagrees with the t interval, the verdict is "method-dependent", and both are shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from primetime.analysis import bootstrap, signed_rank
from primetime.analysis.bootstrap import Bootstrap
from primetime.intervals import ALPHA, LEVEL, difference_p, equivalence_p
from primetime.model import Comparison, Interval, Opinion, Verdict

HODGES_LEHMANN = "Hodges\N{EN DASH}Lehmann"
OF_MEANS, OF_MEDIANS = "bootstrap of means", "bootstrap of medians"
EQUIVALENCE_LEVEL = 1 - 2 * ALPHA


@dataclass(frozen=True, slots=True)
class Paired:
    """The blocks of a comparison: ln ratios, and by block the iterations on both sides."""

    d: tuple[float, ...]
    own: tuple[tuple[float, ...], ...]
    base: tuple[tuple[float, ...], ...]


def opinions(one: Comparison, paired: Paired, campaign_seed: int) -> tuple[Opinion, ...]:
    """Return the second opinions that these many blocks can have; none below 6."""
    found: list[Opinion] = []
    if len(paired.d) >= signed_rank.FEWEST:
        wide, narrow = (signed_rank.hodges_lehmann(paired.d, level) for level in (LEVEL, EQUIVALENCE_LEVEL))
        found.append(Opinion(HODGES_LEHMANN, wide, alone(wide, narrow, one.margin)))
    if len(paired.d) >= bootstrap.FEWEST:
        drawn = Bootstrap(paired.own, paired.base, seed_of(campaign_seed, one))
        for centre, method in enumerate((OF_MEANS, OF_MEDIANS)):
            wide, narrow = (drawn.interval(centre, level) for level in (LEVEL, EQUIVALENCE_LEVEL))
            found.append(Opinion(method, wide, alone(wide, narrow, one.margin)))
    return tuple(found)


def dissenting(d: Sequence[float], margin: float, heard: Sequence[Opinion]) -> tuple[Opinion, ...]:
    """Return the opinions that disagree with the t interval's own, unadjusted verdict.

    Medians over boots need about twice the blocks: that they do not resolve what the others do is no disagreement.
    """
    first = by_t(d, margin)
    return tuple(
        opinion
        for opinion in heard
        if opinion.verdict is not first
        and not (opinion.method == OF_MEDIANS and opinion.verdict is Verdict.NOT_RESOLVED)
    )


def by_t(d: Sequence[float], margin: float) -> Verdict:
    """Return the verdict of the t interval if this comparison stood alone."""
    return called(difference_p(d) <= ALPHA, equivalence_p(d, margin) <= ALPHA)


def alone(wide: Interval, narrow: Interval, margin: float) -> Verdict:
    """Return the verdict from a 95 % and a 90 % interval."""
    differs = not wide.low <= 1.0 <= wide.high
    return called(differs, narrow.low >= 1 / (1 + margin) and narrow.high <= 1 + margin)


def called(differs: bool, inside: bool) -> Verdict:
    """Return the verdict of methodology §4's table."""
    if differs:
        return Verdict.NEGLIGIBLE if inside else Verdict.DIFFERENT
    return Verdict.COMPARABLE if inside else Verdict.NOT_RESOLVED


def seed_of(campaign_seed: int, one: Comparison) -> int:
    """Return a seed that depends on the campaign and the comparison only: a report can be made again."""
    words = f"{campaign_seed} {one.environment} {one.baseline} {one.point} {one.metric.name}"
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")
