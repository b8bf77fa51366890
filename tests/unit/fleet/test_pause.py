"""Waiting that can be called off, for a time to come or for a program to end."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator

import pytest

from primetime.errors import CommandTimeout, Interrupted
from primetime.fleet.pause import Pause
from primetime.host.process import Spawning, spawn

SLEEP = ("sleep", "600")


@pytest.fixture
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    with spawn(SLEEP, Spawning(stdout=subprocess.PIPE)) as child:
        yield child


def test_a_pause_can_be_called_off() -> None:
    pause = Pause()
    threading.Timer(0.05, pause.called_off.set).start()
    with pytest.raises(Interrupted, match="primetime fleet resume"):
        pause(600.0)
    Pause()(-1.0)


def test_a_program_is_not_waited_for_any_more(sleeping: subprocess.Popen[bytes]) -> None:
    pause = Pause("it goes on there")
    threading.Timer(0.05, pause.called_off.set).start()
    with pytest.raises(Interrupted, match="it goes on there"), pause.watching(sleeping, SLEEP, lambda: 600.0):
        sleeping.communicate()


def test_a_program_has_its_time(sleeping: subprocess.Popen[bytes]) -> None:
    with pytest.raises(CommandTimeout, match="sleep did not end within 0 s"):  # noqa: SIM117 - the inner one raises
        with Pause().watching(sleeping, SLEEP, lambda: 0.0):
            sleeping.communicate()


def test_the_time_is_asked_for_again_and_again() -> None:
    limits = iter([600.0, 600.0])
    with spawn(["sleep", "1"], Spawning()) as child, Pause().watching(child, SLEEP, lambda: next(limits, 600.0)):
        assert child.wait() == 0
    assert next(limits, None) is None


def test_a_limit_that_fails_leaves_no_program_unwatched(sleeping: subprocess.Popen[bytes]) -> None:
    def limit_s() -> float:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"), Pause().watching(sleeping, SLEEP, limit_s):
        sleeping.communicate()


def test_a_program_that_ends_in_time_raises_nothing() -> None:
    with spawn(["true"], Spawning()) as child, Pause().watching(child, ["true"], lambda: 600.0):
        assert child.wait() == 0
