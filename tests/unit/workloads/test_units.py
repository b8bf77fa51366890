"""Sizes and durations of study files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.workloads.units import parse_duration, parse_size, size_in_words


@given(st.integers(0, 2**50))
def test_sizes_round_trip(size: int) -> None:
    assert parse_size(size_in_words(size)) == size


@pytest.mark.parametrize(("text", "size"), [("4KiB", 4096), ("1.5 GB", 1_500_000_000), ("256B", 256), (512, 512)])
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["4", "4 K", "KiB", "-1KiB", "4kib", True, 1.5, None, -1])
def test_what_is_no_size(text: object) -> None:
    assert parse_size(text) is None


@pytest.mark.parametrize(("text", "seconds"), [("3s", 3.0), ("2 min", 120.0), ("1.5h", 5400.0), ("200ms", 0.2)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["3", 3, "3 seconds", "", "s"])
def test_what_is_no_duration(text: object) -> None:
    assert parse_duration(text) is None
