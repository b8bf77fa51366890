"""Student's t against scipy, and its own laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from primetime.intervals.student_t import distribution, quantile, tail

degrees = st.one_of(st.integers(1, 200).map(float), st.floats(0.5, 1e5))


@given(t=st.floats(1e-4, 1e4), df=degrees)
def test_tail_is_scipys(t: float, df: float) -> None:
    expected = float(stats.t.sf(t, df))
    if expected > 1e-250:
        assert tail(t, df) == pytest.approx(expected, rel=1e-8)


@given(p=st.floats(0.5001, 0.999999), df=degrees)
def test_quantile_is_scipys(p: float, df: float) -> None:
    assert quantile(p, df) == pytest.approx(float(stats.t.ppf(p, df)), rel=1e-7)


@given(p=st.floats(1e-6, 1 - 1e-6), df=degrees)
def test_quantile_inverts_the_distribution(p: float, df: float) -> None:
    assert distribution(quantile(p, df), df) == pytest.approx(p, rel=1e-9)


@given(t=st.floats(-1e3, 1e3), df=degrees)
def test_distribution_is_symmetric(t: float, df: float) -> None:
    assert distribution(t, df) + distribution(-t, df) == pytest.approx(1.0)


def test_values_of_printed_tables() -> None:
    assert quantile(0.975, 4) == pytest.approx(2.776445, abs=1e-6)
    assert quantile(0.95, 9) == pytest.approx(1.833113, abs=1e-6)
    assert quantile(0.5, 3) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 1.1])
def test_no_quantile_outside_zero_and_one(p: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        quantile(p, 3)


def test_degrees_of_freedom_are_positive() -> None:
    with pytest.raises(ValueError, match="degrees"):
        tail(1.0, 0)
