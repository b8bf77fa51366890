"""SIGINT, SIGTERM and SIGHUP become one Interrupted, so that every `with` block undoes its part."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from primetime.errors import BootFailed, CommandFailed, CommandTimeout, EnvironmentDied, Interrupted

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """The first signal that arrived. What fails while it is obeyed must not hide it: nobody would hear a second one."""

    def __init__(self) -> None:
        self.words = ""

    def check(self) -> None:
        """Raise Interrupted when a signal has arrived."""
        if self.words:
            raise Interrupted(self.words)

    @contextmanager
    def outranking(self) -> Iterator[None]:
        """Raise Interrupted instead of an environment's or a program's failure after the signal."""
        try:
            yield
        except (BootFailed, EnvironmentDied, CommandFailed, CommandTimeout):
            self.check()
            raise


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Raise Interrupted in the main thread at the first signal; ignore further ones while undoing.

    What `nohup` or a supervisor told us to survive, the end of a terminal, stays ignored.
    """
    interruption = Interruption()

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is Python's
        for other in NUMBERS:
            signal.signal(other, signal.SIG_IGN)
        interruption.words = f"stopped by {signal.Signals(number).name}"
        interruption.check()

    survived = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
    before = {number: signal.signal(number, interrupt) for number in NUMBERS if number not in survived}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
