"""The one subprocess door: explicit environment, always waited for, honest about failures."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from primetime.errors import CommandFailed, CommandTimeout, UserError
from primetime.host.process import Placement, Spawning, run, spawn


def test_output_exit_code_and_times() -> None:
    outcome = run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin=b"in", timeout_s=10, check=False)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (3, b"in", b"oops\n")
    assert outcome.t0 <= outcome.t1 <= time.monotonic()


def test_failure_says_command_and_last_words() -> None:
    with pytest.raises(CommandFailed, match=r"sh ended with exit code 3: oops") as caught:
        run(["sh", "-c", "echo oops >&2; echo '   ^ ' >&2; exit 3"], timeout_s=10)
    assert caught.value.returncode == 3


def test_environment_is_ours_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "value")
    words = run(["env"], timeout_s=10, spawning=Spawning(env={"EXTRA": "1"})).stdout.decode()
    assert "SECRET" not in words
    assert "EXTRA=1" in words
    assert "LC_ALL=C.UTF-8" in words


def test_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(CommandTimeout):
        run(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"], timeout_s=0.5)
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the grandchild lives on"
        time.sleep(0.01)


def test_what_was_said_until_the_time_was_over_is_kept() -> None:
    with pytest.raises(CommandTimeout) as caught:
        run(["sh", "-c", "echo said; echo complained >&2; exec sleep 60"], timeout_s=0.5)
    assert (caught.value.stdout, caught.value.stderr) == (b"said\n", b"complained\n")


def test_missing_program_is_a_user_error() -> None:
    with pytest.raises(UserError, match="no-such-program is not installed"):
        run(["no-such-program"], timeout_s=1)


def test_spawned_program_ends_with_the_block() -> None:
    with spawn(["sleep", "60"], Spawning(stdout=subprocess.DEVNULL)) as child:
        assert child.poll() is None
    assert child.returncode is not None


def test_placement_pins_the_child() -> None:
    cpu = min(os.sched_getaffinity(0))
    spawning = Spawning(placement=Placement(cpus=frozenset({cpu})))
    assert run(["nproc"], timeout_s=10, spawning=spawning).stdout == b"1\n"


def test_a_program_that_ends_without_reading_is_no_error() -> None:
    with spawn(["true"], Spawning(stdin=subprocess.PIPE)) as child:
        assert child.stdin is not None
        child.wait(30)
        child.stdin.write(b"nobody reads this")
    assert child.stdin.closed


def test_a_program_that_is_given_nothing_finds_the_end_at_once() -> None:
    # containerd's client hung in Kata when a pipe was closed a moment after it had looked
    assert run(["readlink", "/proc/self/fd/0"], timeout_s=10).stdout == b"/dev/null\n"
    assert run(["cat"], timeout_s=10, stdin=b"words").stdout == b"words"
