"""Signals become one Interrupted; what a supervisor told us to survive stays ignored."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from primetime.campaign.signals import NUMBERS, interruptible
from primetime.errors import BootFailed, Interrupted


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The handlers of the tests' own process."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_is_obeyed_and_no_other(number: signal.Signals) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with interruptible() as interruption:
        with pytest.raises(Interrupted, match=f"stopped by {number.name}"):
            os.kill(os.getpid(), number)
        for other in NUMBERS:
            os.kill(os.getpid(), other)
        with pytest.raises(Interrupted, match=number.name), interruption.outranking():
            raise BootFailed("agent", "it was killed by the same signal")
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_nohup_survives_the_end_of_a_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interruptible() as interruption:
        os.kill(os.getpid(), signal.SIGHUP)
        interruption.check()
        with pytest.raises(Interrupted, match="stopped by SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
