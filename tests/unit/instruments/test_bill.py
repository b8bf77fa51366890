"""The parts of the CPU bill add up to the whole, and what lies outside a limit is told from what lies inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.instruments.base import CLOCK_TICK_S, cost
from primetime.instruments.bill import Bill, close_bill
from primetime.instruments.cgroup import CgroupUse
from primetime.model import Measurement

STAT = (Path(__file__).parents[2] / "recorded" / "proc-stat-linux-6.18.txt").read_bytes()
PARTS = ("cpu_environment", "cpu_peer", "observer_cpu", "cpu_rest", "cpu_interrupts", "cpu_steal", "cpu_residual")


def bill(**seconds: float) -> dict[str, float]:
    measured = tuple(cost(name, "CPU s", value) for name, value in seconds.items())
    return {one.metric.name: one.value for one in (*measured, *close_bill(measured))}


def figures(measured: tuple[Measurement, ...]) -> dict[str, float]:
    return {one.metric.name: one.value for one in measured}


@pytest.mark.parametrize("apart", [{}, {"cpu_interrupts": 0.4, "cpu_steal": 0.1}])
def test_the_parts_add_up_to_busy(apart: dict[str, float]) -> None:
    found = bill(cpu_busy=3.0, cpu_tasks=2.4, cpu_environment=1.5, cpu_peer=0.5, observer_cpu=0.1, **apart)
    assert sum(found.get(part, 0.0) for part in PARTS) == pytest.approx(3.0)
    assert found["cpu_residual"] == pytest.approx(0.6 - sum(apart.values()))


def test_there_is_no_bill_without_its_parts() -> None:
    assert close_bill((cost("cpu_busy", "CPU s", 1.0),)) == ()


@pytest.mark.parametrize("apart", [True, False])
def test_interrupts_are_a_part_only_where_the_kernel_times_them(apart: bool) -> None:
    member = Bill()
    member.interrupts_apart = apart
    before = member.parse((b"1000000000", b"0", STAT))
    after = member.parse((b"2000000000", b"500000000", STAT.replace(b" 4214 ", b" 4224 ", 1)))
    found = figures(member.window(before, after, 1.0))
    assert found["cpu_tasks"] == pytest.approx(1.0)
    assert found["cpu_peer"] == pytest.approx(0.5)
    assert found.get("cpu_interrupts") == (pytest.approx(10 * CLOCK_TICK_S) if apart else None)


def test_where_only_some_threads_keep_to_the_limit_the_rest_is_outside() -> None:
    member = CgroupUse()
    member.limited = (7,)
    before = member.parse((b"1000000000", b"anon 5", b"100000000 0 0"))
    after = member.parse((b"3000000000", b"anon 5", b"1600000000 0 0"))
    found = figures(member.window(before, after, 1.0))
    assert found["cpu_environment"] == pytest.approx(2.0)
    assert found["cpu_outside"] == pytest.approx(0.5)
