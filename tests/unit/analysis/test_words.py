"""Figures and findings in words: every word of a verdict, and never a stronger one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_campaign import READ, WRITE, Making, make_campaign, rich

from primetime.analysis import analyse
from primetime.analysis.quantities import NOTHING, SPACE, digits, percent, plain_ratio, quantity, ratio_in_words
from primetime.analysis.scope import covers, scope_of
from primetime.model import Interval, Verdict

WORDS = {
    Verdict.DIFFERENT: "which is",
    Verdict.NEGLIGIBLE: "by less than the margin",
    Verdict.COMPARABLE: "is comparable to",
    Verdict.NOT_RESOLVED: "It is not resolved whether",
    Verdict.NO_VERDICT: "No verdict on",
}


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (53_912_345.0, "B/s", "53.9 MB/s"),
        (9.41e9, "bit/s", "9.41 Gbit/s"),
        (18_312.0, "1/s", "18 300 /s"),
        (0.000_213, "s", "213 µs"),
        (0.012_04, "s", "12.0 ms"),
        (1.5, "s", "1.50 s"),
        (90.0, "s", "1.50 min"),
        (0.0, "s", "0 s"),
        (0.0, "B/s", "0 B/s"),
        (999.9, "B/s", "1 000 B/s"),
        (0.816_3, "CPU s/GB", "0.816 CPU s/GB"),
        (31_457_280.0, "B", "31.5 MB"),
        (9.996, "", "10.0"),
        (None, "s", "\N{EN DASH}"),
    ],
)
def test_quantities(value: float | None, unit: str, words: str) -> None:
    assert quantity(value, unit).replace(SPACE, " ") == words


@given(value=st.floats(1e-4, 1e12))
def test_digits_lose_less_than_half_a_percent(value: float) -> None:
    assert float(digits(value).replace(SPACE, "")) == pytest.approx(value, rel=0.005001)


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.6903, 0.6412, 0.7331), "0.69 [0.64, 0.73]"),
        ((1.0102, 1.0004, 1.0201), "1.0102 [1.0004, 1.0201]"),
        ((0.0043, 0.0041, 0.0045), "0.0043 [0.0041, 0.0045]"),
        ((33.41, 30.12, 36.83), "33.4 [30.1, 36.8]"),
        ((0.5, 0.5, 0.5), "0.50 [0.50, 0.50]"),
    ],
)
def test_ratios(interval: tuple[float, float, float], words: str) -> None:
    assert ratio_in_words(Interval(*interval, 0.95, 10)) == words


@given(centre=st.floats(-2, 2), half=st.floats(0.0005, 1))
def test_printed_bounds_never_blur_which_side_of_1_they_are_on(centre: float, half: float) -> None:
    low, high = 2.718281828 ** (centre - half), 2.718281828 ** (centre + half)
    if min(abs(low - 1), abs(high - 1)) < 1e-5:
        return
    bounds = ratio_in_words(Interval(2.718281828**centre, low, high, 0.95, 10)).split("[")[1].rstrip("]").split(", ")
    assert (float(bounds[0]) > 1) == (low > 1)
    assert (float(bounds[1]) < 1) == (high < 1)


@pytest.mark.parametrize(("value", "baseline"), [(None, 1.0), (1.0, None), (1.0, 0.0), (-0.2, 0.1), (0.2, -0.1)])
def test_no_quotient_of_what_has_none(value: float | None, baseline: float | None) -> None:
    assert plain_ratio(value, baseline) == NOTHING
    assert (plain_ratio(1.0, 2.0), plain_ratio(0.0, 2.0)) == ("0.50", "0")


def test_percent() -> None:
    assert percent(0.69).replace(SPACE, " ") == "31 %"
    assert percent(1.004).replace(SPACE, " ") == "0.40 %"


@pytest.mark.parametrize("quick", [False, True])
def test_sentences_are_as_strong_as_their_verdicts(tmp_path: Path, quick: bool) -> None:
    making = replace(rich(), quick=quick, blocks=5 if quick else 10)
    analysis = analyse(make_campaign(tmp_path / "made.sqlite", making))
    primary = [one for one in analysis.comparisons if one.primary]
    assert len({one.verdict for one in primary}) >= 3
    for one in primary:
        (finding,) = [
            found
            for found in analysis.findings
            if found.environment == one.environment and set(one.trials) <= set(found.trials)
        ]
        assert WORDS[one.verdict] in finding.sentence
        others = [words for verdict, words in WORDS.items() if verdict is not one.verdict]
        assert not any(words in finding.sentence for words in others)
        assert f"{one.blocks} block" in finding.sentence
        assert quantity(one.value, one.metric.unit) in finding.sentence
        assert quantity(one.baseline_value, one.metric.unit) in finding.sentence
        claims = one.verdict not in (Verdict.NO_VERDICT, Verdict.NOT_RESOLVED)
        assert finding.sentence.startswith("A quick look suggests that ") == (quick and claims)


def test_what_has_no_verdict_for_one_reason_shares_a_sentence(tmp_path: Path) -> None:
    making = Making(kinds={"native": "native", "runc": "runc"}, points=(READ, WRITE), blocks=2)
    analysis = analyse(make_campaign(tmp_path / "made.sqlite", making))
    (finding,) = analysis.findings
    assert finding.sentence.startswith("No verdict on runc: ")
    assert READ.name in finding.sentence
    assert WRITE.name in finding.sentence


def test_a_guest_cache_against_a_bypassed_one_gets_no_verdict(tmp_path: Path) -> None:
    making = Making(kinds={"native": "native", "gvisor": "gvisor"}, points=(READ,))
    analysis = analyse(make_campaign(tmp_path / "made.sqlite", making))
    assert "page cache" in analysis.findings[0].sentence
    assert analysis.findings[0].sentence.startswith("No verdict on ")


def test_scopes() -> None:
    both = scope_of("qemu", "a")
    assert both == "environment:qemu,point:a"
    assert covers(both, ("qemu", "native"), "a", "rate")
    assert not covers(both, ("runc", "native"), "a", "rate")
    assert not covers(both, ("qemu", "native"), "b", "rate")
    assert covers(scope_of(), ("x", "y"), "z", "m")
    assert not covers(scope_of(metric="rate"), ("x", "y"), "z", "m")
