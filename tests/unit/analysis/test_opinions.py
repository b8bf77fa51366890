"""Second opinions, states and steadiness as they reach verdicts, on made campaigns."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_campaign import READ, WRITE, Making, make_campaign

from primetime.analysis import Analysis, analyse
from primetime.analysis.bootstrap import Bootstrap
from primetime.analysis.opinions import HODGES_LEHMANN, OF_MEANS, OF_MEDIANS, alone, dissenting
from primetime.intervals import log_ratio_interval
from primetime.model import Comparison, Interval, Opinion, Verdict
from primetime.report.json_report import as_json
from primetime.report.terminal import render_analysis

PAIR = Making(kinds={"native": "native", "runc": "runc"}, points=(READ,))
Change = Callable[[int, float], float]  # (block, value) → value


def changed(path: Path, environment: str, change: Change) -> Path:
    """Change the primary figures of an environment in a made campaign."""
    with closing(sqlite3.connect(path)) as sql:
        rows = sql.execute(
            """SELECT trial, block, value FROM trials JOIN measurements USING (trial)
               WHERE environment = ? AND metric = 'rate'""",
            (environment,),
        ).fetchall()
        values = [(change(block, value), trial) for trial, block, value in rows]
        sql.executemany("UPDATE measurement SET value = ? WHERE trial = ? AND metric = 'rate'", values)
        sql.commit()
    return path


def primary(analysis: Analysis) -> Comparison:
    return next(one for one in analysis.comparisons if one.primary)


@pytest.mark.parametrize(
    ("blocks", "methods"),
    [(5, []), (10, [HODGES_LEHMANN]), (20, [HODGES_LEHMANN, OF_MEANS, OF_MEDIANS])],
)
def test_which_opinions_are_heard(tmp_path: Path, blocks: int, methods: list[str]) -> None:
    making = replace(PAIR, blocks=blocks, quick=blocks == 5, truth={("runc", READ.name): 0.7})
    one = primary(analyse(make_campaign(tmp_path / "made.sqlite", making)))
    assert [opinion.method for opinion in one.opinions] == methods
    assert {opinion.verdict for opinion in one.opinions} <= {Verdict.DIFFERENT}
    assert "method-dependent" not in one.warnings


def test_one_wild_block_makes_a_verdict_method_dependent(tmp_path: Path) -> None:
    making = replace(PAIR, blocks=14, truth={("runc", READ.name): 0.9}, spread=0.004, drift=0.0)
    path = make_campaign(tmp_path / "made.sqlite", making)
    analysis = analyse(changed(path, "runc", lambda block, value: value * (1.6 if block == 3 else 1.0)))
    one = primary(analysis)
    assert one.verdict is Verdict.NOT_RESOLVED
    assert one.opinions[0].verdict is Verdict.DIFFERENT
    assert "method-dependent" in one.warnings
    assert "Method-dependent: Hodges\N{EN DASH}Lehmann alone: different" in analysis.findings[0].sentence
    assert "method-dependent" in {warning.id for warning in analysis.warnings}
    assert "not resolved (method-dependent)" in render_analysis(analysis)
    json.dumps(as_json(analysis))


def test_medians_that_do_not_resolve_are_no_disagreement() -> None:
    d = [-0.3 + 0.01 * (block % 3) for block in range(20)]
    interval = Interval(0.75, 0.5, 1.1, 0.95, 20)
    assert dissenting(d, 0.05, [Opinion(OF_MEDIANS, interval, Verdict.NOT_RESOLVED)]) == ()
    apart = Opinion(OF_MEDIANS, interval, Verdict.COMPARABLE)
    assert dissenting(d, 0.05, [apart]) == (apart,)


@pytest.mark.parametrize(
    ("wide", "narrow", "verdict"),
    [
        ((0.60, 0.70), (0.61, 0.69), Verdict.DIFFERENT),
        ((0.96, 0.99), (0.965, 0.985), Verdict.NEGLIGIBLE),
        ((0.97, 1.02), (0.98, 1.01), Verdict.COMPARABLE),
        ((0.90, 1.02), (0.91, 1.01), Verdict.NOT_RESOLVED),
        ((0.99, 1.08), (1.0, 1.06), Verdict.NOT_RESOLVED),
    ],
)
def test_verdicts_from_intervals(wide: tuple[float, float], narrow: tuple[float, float], verdict: Verdict) -> None:
    assert alone(Interval(1, *wide, 0.95, 9), Interval(1, *narrow, 0.90, 9), 0.05) is verdict


def test_the_bootstrap_is_the_plain_one_where_there_is_one_iteration() -> None:
    """A second implementation: a loop that draws blocks, on the same data; equal but for the drawing."""
    chance = np.random.default_rng(1)
    base = 100 * np.exp(0.03 * chance.standard_normal(25))
    own = 0.8 * base * np.exp(0.02 * chance.standard_normal(25))
    found = Bootstrap([[one] for one in own], [[one] for one in base], seed=2).interval(0, 0.95)
    drawn = []
    for _ in range(5000):
        places = [int(chance.integers(25)) for _ in range(25)]
        drawn.append(sum(own[place] for place in places) / sum(base[place] for place in places))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.002)
    assert found.ratio == pytest.approx(own.mean() / base.mean())


def test_iterations_are_drawn_inside_their_boot() -> None:
    """Twenty equal boots that differ inside only: the interval is that of means of three."""
    boots = [[90.0, 100.0, 110.0]] * 20
    interval = Bootstrap(boots, [[100.0]] * 20, seed=3).interval(0, 0.95)
    expected = 1.96 * math.sqrt(200 / 3 / 3 / 20) / 100
    assert interval.ratio == 1.0
    assert interval.high - 1 == pytest.approx(expected, rel=0.1)


def test_unequal_numbers_of_iterations_are_no_trouble() -> None:
    boots = [[90.0, 110.0], [100.0]] * 10
    interval = Bootstrap(boots, [[100.0]] * 20, seed=4).interval(0, 0.95)
    assert 0.95 < interval.low < 1 < interval.high < 1.05


def test_two_states_are_shown_and_not_judged(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", replace(PAIR, blocks=30, drift=0.0))
    analysis = analyse(changed(path, "runc", lambda block, value: value * (0.7 if block % 3 == 0 else 1.0)))
    one = primary(analysis)
    assert (one.verdict, one.interval) == (Verdict.NO_VERDICT, None)
    assert [state.boots for state in one.states] == [10, 20]
    assert "two states" in one.reason
    assert " or " in analysis.findings[0].sentence
    report = as_json(analysis)["comparisons"]
    assert isinstance(report, list)
    mine = next(entry for entry in report if entry["primary"])
    assert mine["ratio"] is None
    assert len(mine["states"]) == 2
    assert "(10 boots)" in render_analysis(analysis)


def test_states_of_the_baseline_count_too(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", replace(PAIR, blocks=30, drift=0.0))
    one = primary(analyse(changed(path, "native", lambda block, value: value * (0.7 if block % 3 == 0 else 1.0))))
    assert one.verdict is Verdict.NO_VERDICT
    assert not one.states
    assert len(one.baseline_states) == 2


@pytest.mark.parametrize(
    ("point", "quick", "forbids"), [(WRITE, False, True), (WRITE, True, False), (READ, False, False)]
)
def test_written_storage_must_be_steady(tmp_path: Path, point: object, quick: bool, forbids: bool) -> None:
    making = replace(PAIR, points=(point,), quick=quick, blocks=12)  # type: ignore[arg-type]
    path = make_campaign(tmp_path / "made.sqlite", making)
    analysis = analyse(changed(path, "runc", lambda block, value: value * 0.93**block))
    one = primary(analysis)
    assert ("not-steady" in one.warnings) == (point is WRITE)
    assert ("is not steady" in one.reason) == forbids


def test_a_change_on_the_way_is_told(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", replace(PAIR, blocks=24))
    analysis = analyse(changed(path, "runc", lambda block, value: value * (0.8 if block > 12 else 1.0)))
    warning = next(one for one in analysis.warnings if one.id == "change-point")
    assert "before block 13 by -" in warning.sentence
    assert "change-point" in primary(analysis).warnings


def test_exploratory_metrics_have_a_q_and_no_verdict(tmp_path: Path) -> None:
    analysis = analyse(make_campaign(tmp_path / "made.sqlite", PAIR))
    others = [one for one in analysis.comparisons if not one.primary]
    assert others
    assert all(one.q is not None and 0 <= one.q <= 1 for one in others)
    assert {one.verdict for one in others} == {Verdict.NO_VERDICT}
    assert primary(analysis).q is None


def test_margins_of_the_devices_class_come_first(tmp_path: Path) -> None:
    making = replace(PAIR, device="raspberry pi 4 in the lab")
    path = make_campaign(tmp_path / "made.sqlite", making)
    with closing(sqlite3.connect(path)) as sql:
        resolved = json.loads(sql.execute("SELECT resolved FROM campaign_record").fetchone()[0])
        resolved["class_margins"] = {"Raspberry Pi": {"rate": 0.11}, "Jetson": {"rate": 0.5}}
        sql.execute("UPDATE campaign_record SET resolved = ?", (json.dumps(resolved),))
        sql.commit()
    assert primary(analyse(path)).margin == 0.11


def test_medians_and_tails_say_when_there_are_too_few(tmp_path: Path) -> None:
    analysis = analyse(make_campaign(tmp_path / "made.sqlite", PAIR))
    one = next(one for one in analysis.distributions if one.environment == "runc")
    median, p95, p99 = one.quantiles
    assert median.low is not None
    assert median.low < median.value < (median.high or 0)
    assert (p95.low, p99.high) == (None, None)


def test_the_interval_itself_is_not_touched_by_any_of_this(tmp_path: Path) -> None:
    analysis = analyse(make_campaign(tmp_path / "made.sqlite", PAIR))
    one = primary(analysis)
    by_block = [
        {trial.block: trial.values["rate"] for trial in analysis.data.done(READ.name, label)}
        for label in ("runc", "native")
    ]
    expected = log_ratio_interval([math.log(by_block[0][b] / by_block[1][b]) for b in sorted(by_block[0])])
    assert one.interval is not None
    assert (one.interval.low, one.interval.high) == pytest.approx((expected.low, expected.high))
