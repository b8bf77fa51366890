"""Verdicts on made campaigns whose truth is known, and the rules that forbid them."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_campaign import CPU, HIT, RATE, READ, REQUESTS, START, STREAM, WRITE, Making, make_campaign, rich

from primetime.analysis import Analysis, analyse
from primetime.analysis.compare import compare
from primetime.analysis.data import load
from primetime.analysis.verdicts import AdjustedP, decide
from primetime.errors import UserError
from primetime.intervals import difference_p, equivalence_p, holm
from primetime.model import Comparison, Severity, Verdict

Analyse = Callable[[Making], Analysis]
PAIR = Making(kinds={"native": "native", "runc": "runc"}, points=(READ,))


@pytest.fixture
def analysed(tmp_path: Path) -> Analyse:
    """Make a campaign and analyse it."""
    return lambda making: analyse(make_campaign(tmp_path / "made.sqlite", making))


def primary(analysis: Analysis, environment: str, point: str) -> Comparison:
    """Return the comparison that a verdict is about."""
    found = [
        one for one in analysis.comparisons if one.primary and (one.environment, one.point) == (environment, point)
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("ratio", "spread", "verdict"),
    [
        (0.69, 0.01, Verdict.DIFFERENT),
        (1.4, 0.01, Verdict.DIFFERENT),
        (0.975, 0.004, Verdict.NEGLIGIBLE),
        (1.0, 0.01, Verdict.COMPARABLE),
        (0.97, 0.08, Verdict.NOT_RESOLVED),
    ],
)
def test_each_verdict_is_reached(analysed: Analyse, ratio: float, spread: float, verdict: Verdict) -> None:
    one = primary(analysed(replace(PAIR, truth={("runc", READ.name): ratio}, spread=spread)), "runc", READ.name)
    assert one.verdict is verdict
    assert one.blocks == 10
    assert one.interval is not None
    assert one.interval.low < ratio < one.interval.high
    assert one.value is not None
    assert one.baseline_value is not None
    assert one.value / one.baseline_value == pytest.approx(one.interval.ratio)


@given(difference=st.floats(0, 1), equivalence=st.floats(0, 1))
def test_the_verdict_table(difference: float, equivalence: float) -> None:
    verdict = decide(AdjustedP(difference, equivalence, 1))
    assert (verdict in (Verdict.DIFFERENT, Verdict.NEGLIGIBLE)) == (difference <= 0.05)
    assert (verdict in (Verdict.COMPARABLE, Verdict.NEGLIGIBLE)) == (equivalence <= 0.05)


def test_a_family_of_identical_environments_seldom_has_a_different_one() -> None:
    chance, families = random.Random(6), 500
    wrong = 0
    for _ in range(families):
        samples = [[chance.gauss(0, 0.05) for _ in range(10)] for _ in range(4)]
        adjusted = zip(
            holm(list(map(difference_p, samples))), holm([equivalence_p(d, 0.05) for d in samples]), strict=True
        )
        verdicts = {decide(AdjustedP(p, q, 4)) for p, q in adjusted}
        wrong += bool(verdicts & {Verdict.DIFFERENT, Verdict.NEGLIGIBLE})
    assert wrong / families <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / families)


def test_not_resolved_says_what_would_resolve_it(analysed: Analyse) -> None:
    analysis = analysed(replace(PAIR, truth={("runc", READ.name): 0.97}, spread=0.08))
    reason = primary(analysis, "runc", READ.name).reason
    assert "further block" in reason
    assert reason in analysis.findings[0].sentence


@pytest.mark.parametrize(("quick", "blocks", "needed"), [(True, 4, 5), (False, 9, 10)])
def test_too_few_blocks(analysed: Analyse, quick: bool, blocks: int, needed: int) -> None:
    one = primary(analysed(replace(PAIR, quick=quick, blocks=blocks)), "runc", READ.name)
    assert (one.verdict, one.reason) == (Verdict.NO_VERDICT, f"{blocks} of {needed} blocks")
    assert "few-blocks" in one.warnings


def test_one_block_has_a_quotient_and_no_interval(analysed: Analyse) -> None:
    one = primary(analysed(replace(PAIR, blocks=1)), "runc", READ.name)
    assert one.interval is None
    assert one.value is not None


def test_a_failed_partner_drops_the_block_and_is_told(analysed: Analyse) -> None:
    failing = frozenset({("native", READ.name, 2)})
    analysis = analysed(replace(PAIR, failing=failing))
    assert primary(analysis, "runc", READ.name).reason == "9 of 10 blocks"
    reasons = {(one.environment, one.block): one.reason for one in analysis.excluded}
    assert reasons == {
        ("native", 2): "fio ended with exit code 1",
        ("runc", 2): "native has no figure in this block",
    }
    assert "trials-failed" in {warning.id for warning in analysis.warnings}


def test_emulated_gets_no_verdict(analysed: Analyse) -> None:
    one = primary(analysed(rich()), "qemu", READ.name)
    assert one.verdict is Verdict.NO_VERDICT
    assert "emulated (TCG): figures say nothing about speed" in one.reason


def test_an_emulated_baseline_forbids_too(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", rich())
    assert {one.verdict for one in analyse(path, "qemu").comparisons} == {Verdict.NO_VERDICT}


def test_smoke_gets_no_verdict(analysed: Analyse) -> None:
    analysis = analysed(replace(PAIR, smoke=True, truth={("runc", READ.name): 0.5}))
    assert primary(analysis, "runc", READ.name).verdict is Verdict.NO_VERDICT


def test_a_peer_on_the_same_machine_forbids_throughput_only(analysed: Analyse) -> None:
    making = replace(PAIR, points=(STREAM, REQUESTS))
    analysis = analysed(making)
    assert primary(analysis, "runc", STREAM.name).verdict is Verdict.NO_VERDICT
    assert primary(analysis, "runc", REQUESTS.name).verdict is not Verdict.NO_VERDICT


def test_a_far_peer_may_be_judged(analysed: Analyse) -> None:
    one = primary(analysed(replace(PAIR, points=(STREAM,), peer="far.example:12865")), "runc", STREAM.name)
    assert one.verdict is not Verdict.NO_VERDICT


def test_gvisors_direct_points_are_marked_host_cached(analysed: Analyse) -> None:
    analysis = analysed(replace(PAIR, kinds={"native": "native", "sandbox": "gvisor"}, points=(READ, WRITE)))
    assert "host-cached" in primary(analysis, "sandbox", READ.name).warnings
    assert "host-cached" not in primary(analysis, "sandbox", WRITE.name).warnings


def test_limits_without_proof_are_told(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", PAIR)
    assert "limits-unproved" not in {warning.id for warning in analyse(path).warnings}
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("DELETE FROM fact WHERE name LIKE 'limits.%' AND scope_id = '3'")
        sql.commit()
    warning = next(warning for warning in analyse(path).warnings if warning.id == "limits-unproved")
    assert warning.figures == {"boots": 1.0, "of": 10.0}


def test_an_uncapped_vmm_gets_no_verdict(tmp_path: Path) -> None:
    making = replace(PAIR, kinds={"native": "native", "vm": "firecracker"}, uncapped=frozenset({"vm"}))
    analysis = analyse(make_campaign(tmp_path / "made.sqlite", making))
    assert "vmm-uncapped" in primary(analysis, "vm", READ.name).warnings
    assert primary(analysis, "vm", READ.name).verdict is Verdict.NO_VERDICT
    capped = replace(PAIR, kinds={"native": "native", "vm": "qemu"})
    analysis = analyse(make_campaign(tmp_path / "capped.sqlite", capped))
    assert "vmm-uncapped" not in primary(analysis, "vm", READ.name).warnings


def test_an_unusable_environment_is_told_with_its_remedy(analysed: Analyse) -> None:
    analysis = analysed(replace(PAIR, unusable=frozenset({"runc"})))
    warning = next(warning for warning in analysis.warnings if warning.id == "not-usable")
    assert "apt install runc" in warning.sentence
    assert "has no figure" in analysis.findings[0].sentence
    assert len(analysis.excluded) == 10


def test_only_primary_metrics_get_verdicts(analysed: Analyse) -> None:
    others = [one for one in analysed(PAIR).comparisons if not one.primary]
    assert {(one.metric.name, one.verdict, one.reason) for one in others} == {
        (CPU.name, Verdict.NO_VERDICT, "not a primary metric")
    }
    assert all(one.interval for one in others)
    assert HIT.name not in {one.metric.name for one in others}  # ratios are never averaged


def test_margins_go_by_metric(analysed: Analyse) -> None:
    analysis = analysed(replace(PAIR, margins={RATE.name: 0.2, "default": 0.03}))
    assert {one.metric.name: one.margin for one in analysis.comparisons} == {RATE.name: 0.2, CPU.name: 0.03}


def test_what_is_resolved_alone_may_not_be_in_its_family(tmp_path: Path) -> None:
    kinds = {"native": "native", "runc": "runc", **{f"same{number}": "runc" for number in range(5)}}
    making = replace(PAIR, kinds=kinds, truth={("runc", READ.name): 0.97}, spread=0.03, seed=1)
    data = load(make_campaign(tmp_path / "made.sqlite", making))
    pair = {label: data.environments[label] for label in ("native", "runc")}
    alone = next(one for one in compare(replace(data, environments=pair), ()) if one.primary)
    together = next(one for one in compare(data, ()) if one.primary and one.environment == "runc")
    assert alone.interval == together.interval
    assert alone.verdict is Verdict.DIFFERENT
    assert together.verdict is Verdict.NOT_RESOLVED
    assert together.more_blocks is not None
    assert together.reason == (
        "resolved alone, but not after Holm's adjustment over 6 comparisons; "
        f"about {together.more_blocks} further blocks would resolve it"
    )


def test_another_baseline(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", replace(PAIR, truth={("runc", READ.name): 0.5}))
    one = primary(analyse(path, "runc"), "native", READ.name)
    assert one.interval is not None
    assert one.interval.ratio == pytest.approx(2.0, rel=0.05)
    with pytest.raises(UserError, match="no environment 'qemu'") as raised:
        analyse(path, "qemu")
    assert "native, runc" in raised.value.hint


def test_lower_is_better_turns_the_words(analysed: Analyse) -> None:
    analysis = analysed(replace(PAIR, points=(START,), truth={("runc", START.name): 1.5}))
    assert "higher than native's, which is worse" in analysis.findings[0].sentence


def test_warnings_come_gravest_first(analysed: Analyse) -> None:
    order = [Severity.FORBIDS, Severity.WARNING, Severity.NOTE]
    grades = [order.index(warning.severity) for warning in analysed(rich()).warnings]
    assert grades == sorted(grades)
    assert len(set(grades)) == 3
