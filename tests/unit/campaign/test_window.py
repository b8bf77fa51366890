"""What a window leaves out, and the seconds that it refuses."""

from __future__ import annotations

import threading
import time

import pytest

from primetime.campaign.window import Window, after_ramp, check_clock, check_duration, memory_at_end
from primetime.environments.base import ClockOffset
from primetime.errors import TrialFailed
from primetime.instruments.base import cost

WINDOW = Window((), 10.0, 13.0, 0.0, 0.0, ())


def test_the_second_edge_comes_when_the_ramp_is_over() -> None:
    came = threading.Event()
    t0 = time.monotonic()
    with after_ramp(0.02, came.set):
        assert came.wait(5.0)
    assert time.monotonic() - t0 >= 0.02


@pytest.mark.parametrize("ramp_s", [0.0, 60.0])
def test_no_second_edge_without_a_ramp_or_when_the_tool_ends_in_it(ramp_s: float) -> None:
    came: list[bool] = []
    with after_ramp(ramp_s, lambda: came.append(True)):
        pass
    assert came == []


def test_memory_before_the_drain_has_names_of_its_own() -> None:
    found = memory_at_end([cost("host_dirty_after", "B", 7.0), cost("cpu_busy", "CPU s", 1.0)])
    assert [(one.metric.name, one.value) for one in found] == [("host_dirty_at_end", 7.0)]


def test_a_clock_that_runs_at_another_rate_is_refused() -> None:
    with pytest.raises(TrialFailed, match=r"ran 1\.00 % off"):
        check_clock(ClockOffset(5.0, 0.0), ClockOffset(5.03, 0.0), 3.0)


def test_what_is_not_known_of_the_clock_is_not_held_against_it() -> None:
    check_clock(ClockOffset(5.0, 0.01), ClockOffset(5.03, 0.01), 3.0)


def test_seconds_that_the_host_did_not_see_are_refused() -> None:
    with pytest.raises(TrialFailed, match=r"ran for 3\.100 s, the host saw 3\.000 s"):
        check_duration([cost("tool_duration", "s", 3.1)], WINDOW)


@pytest.mark.parametrize("seconds", [2.0, 3.0, 3.02])
def test_a_tool_may_run_for_less_than_its_start_and_end_took(seconds: float) -> None:
    check_duration([cost("tool_duration", "s", seconds)], WINDOW)
