"""Verdicts over families: Holm within the primary family of a workload, Benjamini and Hochberg for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from primetime.analysis.data import CampaignData
from primetime.analysis.opinions import Paired, dissenting, opinions
from primetime.analysis.quantities import ratio_in_words
from primetime.analysis.scope import scope_of
from primetime.analysis.verdicts import AdjustedP, blocks_needed, decide, further_blocks, unresolved_reason
from primetime.intervals import benjamini_hochberg, difference_p, equivalence_p, holm
from primetime.model import Comparison, QualityWarning, Severity, Verdict

METHOD_DEPENDENT = "method-dependent"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A comparison before its verdict: the ln ratios of its blocks (primary metrics only), and the p of "1"."""

    comparison: Comparison
    d: tuple[float, ...]
    p: float | None = None


def judged(data: CampaignData, candidates: Sequence[Candidate]) -> Iterator[Comparison]:
    """Give a verdict to every primary comparison that may have one, a q-value to the others; the order is kept."""
    needed = blocks_needed(data.study)
    tested = _primary_families(candidates, needed)
    q_values = _exploratory(candidates, needed)
    for index, candidate in enumerate(candidates):
        if index in tested:
            yield _verdict(data, candidate, tested[index], needed)
        else:
            yield replace(candidate.comparison, q=q_values.get(index))


def method_warnings(comparisons: Sequence[Comparison]) -> tuple[QualityWarning, ...]:
    """Return a warning for every verdict that another method would not give."""
    return tuple(
        QualityWarning(
            METHOD_DEPENDENT,
            Severity.WARNING,
            scope_of(one.environment, one.point, one.metric.name),
            f"the verdict on {one.environment} in {one.point} is method-dependent: {dissent_in_words(one)}",
        )
        for one in comparisons
        if METHOD_DEPENDENT in one.warnings
    )


def dissent_in_words(one: Comparison) -> str:
    """Say what the other methods found."""
    return "; ".join(
        f"{other.method} alone: {other.verdict}, {ratio_in_words(other.interval)}" for other in one.opinions
    )


def _primary_families(candidates: Sequence[Candidate], needed: int) -> dict[int, AdjustedP]:
    """Return the adjusted p-values of every primary comparison that nothing forbids; the family is one workload's."""
    families: dict[str, list[int]] = {}
    for index, candidate in enumerate(candidates):
        if candidate.comparison.primary and not candidate.comparison.reason:
            families.setdefault(candidate.comparison.workload, []).append(index)
    tested: dict[int, AdjustedP] = {}
    for members in families.values():
        tested.update(zip(members, _tested([candidates[index] for index in members], needed), strict=True))
    return tested


def _exploratory(candidates: Sequence[Candidate], needed: int) -> dict[int, float]:
    """Return q-values of all other comparisons with enough blocks: one family, the campaign's."""
    members = {
        index: candidate.p
        for index, candidate in enumerate(candidates)
        if not candidate.comparison.primary and candidate.p is not None and candidate.comparison.blocks >= needed
    }
    return dict(zip(members, benjamini_hochberg(list(members.values())), strict=True))


def _tested(family: Sequence[Candidate], needed: int) -> list[AdjustedP]:
    """Adjust the p-values of a family. A member with too few blocks counts in it, with p = 1: families are fixed."""
    ready = [len(candidate.d) >= needed for candidate in family]
    different = [difference_p(one.d) if ok else 1.0 for one, ok in zip(family, ready, strict=True)]
    equal = [equivalence_p(one.d, one.comparison.margin) if ok else 1.0 for one, ok in zip(family, ready, strict=True)]
    return [AdjustedP(p, q, len(family)) for p, q in zip(holm(different), holm(equal), strict=True)]


def _verdict(data: CampaignData, candidate: Candidate, tested: AdjustedP, needed: int) -> Comparison:
    one = candidate.comparison
    if one.interval is None and one.blocks >= needed:
        return replace(one, reason="a value of zero or below has no ratio")
    if len(candidate.d) < needed:
        blocks = "one boot" if one.blocks == 1 else f"{len(candidate.d)} of {needed} blocks"
        return replace(one, reason=blocks)
    verdict = decide(tested)
    heard = opinions(one, paired(data, one, candidate.d), int(data.campaign["seed"]))
    apart = dissenting(candidate.d, one.margin, heard)
    one = replace(one, verdict=verdict, opinions=heard)
    if apart:
        one = replace(one, warnings=(*one.warnings, METHOD_DEPENDENT))
    if verdict is not Verdict.NOT_RESOLVED:
        return one
    more = further_blocks(candidate.d, one.margin, tested.family)
    return replace(one, reason=unresolved_reason(candidate.d, one.margin, tested.family), more_blocks=more)


def paired(data: CampaignData, one: Comparison, d: tuple[float, ...]) -> Paired:
    """Return both sides of a comparison by block, with the iterations inside each boot."""
    sides = []
    for label in (one.environment, one.baseline):
        boots = data.iterations(one.point, label)
        values = {
            boot[0].block: tuple(t.values[one.metric.name] for t in boot if one.metric.name in t.values)
            for boot in boots
        }
        sides.append({block: those for block, those in values.items() if those})
    shared = sorted(sides[0].keys() & sides[1].keys())
    own, base = (tuple(side[block] for block in shared) for side in sides)
    return Paired(d, own, base)
