"""What was found, in words: a sentence per environment and point, never stronger than its verdict."""

from __future__ import annotations

from collections.abc import Sequence

from primetime.analysis.data import CampaignData
from primetime.analysis.judging import METHOD_DEPENDENT, dissent_in_words
from primetime.analysis.quantities import SPACE, percent, quantity, ratio_in_words, states_in_words
from primetime.model import Comparison, Direction, Finding, Interval, QualityWarning, Severity, Verdict

TIMES = "\N{MULTIPLICATION SIGN}"


def findings(
    data: CampaignData, comparisons: Sequence[Comparison], warnings: Sequence[QualityWarning]
) -> tuple[Finding, ...]:
    """Return a finding for every comparison of a primary metric that is judged, then what is not and why.

    Comparisons of one environment that have no verdict for the same reason share a sentence.
    """
    grave = {warning.id for warning in warnings if warning.severity is Severity.WARNING}
    found: list[Finding] = []
    unjudged: dict[tuple[str, str], list[Comparison]] = {}
    for one in comparisons:
        if one.primary and one.value is not None and (one.verdict is Verdict.NO_VERDICT or one.interval is None):
            unjudged.setdefault((one.environment, one.reason), []).append(one)
        elif one.primary:
            found.append(Finding(one.environment, sentence(data, one, grave), one.trials))
    for (environment, reason), those in unjudged.items():
        trials = tuple(trial for one in those for trial in one.trials)
        found.append(Finding(environment, unjudged_in_words(data, reason, those), trials))
    return tuple(found)


def unjudged_in_words(data: CampaignData, reason: str, those: Sequence[Comparison]) -> str:
    """Say once why some comparisons of one environment have no verdict, with what was seen in each."""
    seen = "; ".join(f"{one.point} {_absolutes(one)}" for one in those)
    return f"No verdict on {name(data, those[0].environment)}: {reason}. Seen: {seen}."


def sentence(data: CampaignData, one: Comparison, grave: set[str]) -> str:
    """Say what a comparison shows, with both absolutes, interval, blocks and what else to mind."""
    if one.value is None:
        return f"{name(data, one.environment)} has no figure in {one.point}: {_why_nothing(data, one)}."
    said = _verdict_in_words(data, one)
    if METHOD_DEPENDENT in one.warnings:
        said = f"{said} Method-dependent: {dissent_in_words(one)}."
    mind = [warning for warning in one.warnings if warning in grave and not warning.startswith("trials-")]
    return f"{said} Mind: {', '.join(mind)}." if mind else said


def name(data: CampaignData, label: str) -> str:
    """Return an environment's printed name, with its label where the name does not show it."""
    printed = data.environments[label].printed_name
    return printed if label in printed else f"{label} ({printed})"


def worse(one: Comparison, ratio: float) -> bool:
    """Return whether a ratio means that the environment does worse than the baseline."""
    return (ratio < 1) == (one.metric.direction is Direction.HIGHER) and ratio != 1


def _verdict_in_words(data: CampaignData, one: Comparison) -> str:
    what = f"the {one.metric.name.replace('_', ' ')} of {name(data, one.environment)} in {one.point}"
    base = one.baseline
    if one.interval is None:
        raise ValueError(f"{one.point} of {one.environment} is not judged")
    measured = f"{ratio_in_words(one.interval)} {TIMES} {base}'s, {_absolutes(one)}"
    if one.verdict is Verdict.NOT_RESOLVED:
        return f"It is not resolved whether {what} differs from {base}'s: {measured}; {one.reason}."
    suggests = "A quick look suggests that " if data.study.quick else ""
    claim = f"{suggests}{what} {_claim(one, one.interval)}: {measured}."
    return claim[0].upper() + claim[1:]


def _why_nothing(data: CampaignData, one: Comparison) -> str:
    mine = data.of_cell(one.point, one.environment)
    return mine[-1].reason or "it was not measured yet" if mine else "it was not planned"


def _claim(one: Comparison, interval: Interval) -> str:
    margin, base = f"{one.margin * 100:g}{SPACE}%", one.baseline
    if one.verdict is Verdict.COMPARABLE:
        return f"is comparable to {base}'s within {margin}"
    if one.verdict is Verdict.NEGLIGIBLE:
        return f"differs from {base}'s, but by less than the margin of {margin}"
    direction = "lower" if interval.ratio < 1 else "higher"
    judged = "worse" if worse(one, interval.ratio) else "better"
    return f"is {percent(interval.ratio)} {direction} than {base}'s, which is {judged}"


def _absolutes(one: Comparison) -> str:
    own = states_in_words(one.states, one.metric.unit) or quantity(one.value, one.metric.unit)
    base = states_in_words(one.baseline_states, one.metric.unit) or quantity(one.baseline_value, one.metric.unit)
    blocks = f"{one.blocks} block{'' if one.blocks == 1 else 's'}"
    if one.baseline_value is None:
        return f"{own}, {one.baseline} has no figure"
    return f"{own} against {base}, {blocks}"
