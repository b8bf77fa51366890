"""What is read of the kernel's words on memory, recorded on Linux 6.18."""

from __future__ import annotations

import os
from pathlib import Path

from primetime.host.memory import parse_meminfo, parse_pss, proportional_bytes, unwritten_bytes

RECORDED = Path(__file__).parents[2] / "recorded"


def recorded(name: str) -> bytes:
    return (RECORDED / f"proc-{name}-linux-6.18.txt").read_bytes()


def test_meminfo_is_in_bytes_and_counts_stay_counts() -> None:
    assert parse_meminfo(b"MemTotal:  1024 kB\nHugePages_Total:  3\n") == {"MemTotal": 1 << 20, "HugePages_Total": 3}
    meminfo = parse_meminfo(recorded("meminfo"))
    assert unwritten_bytes(meminfo) == meminfo["Dirty"] + meminfo["Writeback"]


def test_pss_of_a_rollup_is_its_one_line_and_of_smaps_the_sum() -> None:
    rollup = recorded("smaps-rollup").decode()
    once = parse_pss(rollup)
    assert once == int(rollup.partition("\nPss:")[2].split()[0]) * 1024
    assert parse_pss(rollup * 3) == 3 * once


def test_the_memory_of_processes_of_which_one_has_ended() -> None:
    ended = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    assert proportional_bytes([ended]) == 0
    assert proportional_bytes([os.getpid(), ended]) > 0
