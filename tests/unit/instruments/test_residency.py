"""Frequency residency, as cpufreq's statistics show it, over a window."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.instruments.residency import CHANGES, TIMES, Residency, time_in_state
from primetime.model import Channel, Footprint

PI4_BEFORE = "600000 150200\n1000000 300\n1500000 90010\n"
PI4_AFTER = "600000 150400\n1000000 300\n1500000 90810\n"


def policies(root: Path, **files: tuple[str, str]) -> Path:
    """Policies with their two files."""
    for name, (times, changes) in files.items():
        for place, text in ((TIMES, times), (CHANGES, changes)):
            (root / name / place).parent.mkdir(parents=True, exist_ok=True)
            (root / name / place).write_text(text, encoding="ascii")
    return root


def gained(instrument: Residency, before: tuple[str, ...], after: tuple[str, ...]) -> dict[str, float]:
    """The figures between two readings."""
    edges = [instrument.parse(tuple(text.encode() for text in texts)) for texts in (before, after)]
    return {one.metric.name: one.value for one in instrument.window(edges[0], edges[1], 10.0)}


def test_shares_mean_and_changes_of_a_window(tmp_path: Path) -> None:
    instrument = Residency(policies(tmp_path, policy0=(PI4_BEFORE, "400\n")))
    assert instrument.unavailable() == ""
    instrument.open(Footprint())
    read = instrument.read()
    instrument.close()
    assert instrument.parse(read)[Channel("policy0.600000", "s", True)] == pytest.approx(1502.0)
    assert gained(instrument, (PI4_BEFORE, "400\n"), (PI4_AFTER, "407\n")) == {
        "frequency_mean": pytest.approx((0.2 * 0.6 + 0.8 * 1.5) * 1e9),
        "frequency_changes": 7.0,
        "frequency_share_600MHz": pytest.approx(0.2),
        "frequency_share_1500MHz": pytest.approx(0.8),
    }


def test_each_cluster_has_its_own_shares(tmp_path: Path) -> None:
    instrument = Residency(policies(tmp_path, policy0=("400000 0\n", "0"), policy4=("2000000 0\n", "0")))
    found = gained(instrument, ("400000 0", "0", "2000000 0", "0"), ("400000 500", "1", "2000000 500", "2"))
    assert found["frequency_share_policy0_400MHz"] == found["frequency_share_policy4_2000MHz"] == 1.0
    assert found["frequency_mean"] == pytest.approx(1.2e9)
    assert found["frequency_changes"] == 3.0


def test_a_window_without_a_tick_has_no_figures(tmp_path: Path) -> None:
    instrument = Residency(policies(tmp_path, policy0=(PI4_BEFORE, "400")))
    assert gained(instrument, (PI4_BEFORE, "400"), (PI4_BEFORE, "400")) == {}
    assert gained(instrument, (PI4_BEFORE, "400"), ("", "")) == {}, "a policy that went offline"


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "has no cpufreq" in Residency(tmp_path / "none").unavailable()
    (tmp_path / "policy0").mkdir()
    assert "CONFIG_CPU_FREQ_STAT" in Residency(tmp_path).unavailable()


def test_garbage_is_no_residency() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        time_in_state("600000 many\n")
