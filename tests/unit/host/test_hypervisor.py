"""The host's true kernel version and interrupt controller."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.host.hypervisor import gic_version, hypervisor_host, parse_version, stable_release

RECORDED = Path(__file__).parents[2] / "recorded"
UBUNTU = "#119-Ubuntu SMP Mon Sep 16 18:26:26 UTC 2024"


@pytest.mark.parametrize(
    ("release", "version", "signature", "expected"),
    [
        ("6.1.0-25-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.106-3 (2024-08-26)", "", (6, 1, 106)),
        ("5.15.0-119-generic", UBUNTU, "Ubuntu 5.15.0-119.129-generic 5.15.160", (5, 15, 160)),
        ("6.6.31+rpt-rpi-v8", "#1 SMP PREEMPT Debian 1:6.6.31-1+rpt1 (2024-05-29)", "", (6, 6, 31)),
        ("6.12.117+deb13-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-11-12)", "", (6, 12, 117)),
        ("4.9.140-tegra", "#1 SMP PREEMPT Fri Feb 19 08:40:32 PST 2021", "", (4, 9, 140)),
    ],
)
def test_the_stable_release_behind_a_distributions_name(
    release: str, version: str, signature: str, expected: tuple[int, ...]
) -> None:
    assert stable_release(release, version, signature) == expected


def test_versions_compare_as_numbers() -> None:
    assert parse_version("v1.16.1-dev") == (1, 16, 1)
    assert parse_version("Firecracker") == ()
    assert parse_version("5.9") < parse_version("5.10.51") < parse_version("5.12")


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (" 26:  1234  0  GICv3  27 Level     arch_timer", 3),
        (" 18:  1234  0  GICv2  30 Level     arch_timer", 2),
        (" 18:  1234  0  GIC-0  30 Level     arch_timer", 2),
        ("  0:    11  0  IO-APIC   2-edge      timer", 0),
    ],
)
def test_arms_interrupt_controller(line: str, version: int) -> None:
    assert gic_version(f"           CPU0       CPU1\n{line}\nIPI0:  1 2 Rescheduling interrupts\n") == version


def test_a_recorded_table_of_a_board_with_gicv2() -> None:
    assert gic_version((RECORDED / "proc-interrupts-linux-6.12-gicv2.txt").read_text()) == 2


def test_this_host_can_be_read() -> None:
    host = hypervisor_host()
    assert host.kernel > (3,)
    assert host.page_bytes >= 4096
