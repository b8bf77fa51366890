"""Waiting that can be called off for all boards at once: for a time to come, or for a program to end."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from primetime.errors import CommandTimeout, Interrupted
from primetime.host.process import kill_group

POLL_S = 0.2
GO_ON = "what was begun on a board goes on there by itself; see to it with: primetime fleet resume"


class Pause:
    """A wait that `called_off` ends everywhere. `words`: what is then said."""

    def __init__(self, words: str = GO_ON) -> None:
        self.called_off = threading.Event()
        self.words = words

    def __call__(self, seconds: float) -> None:
        """Wait. Interrupted when it is called off."""
        if self.called_off.wait(max(seconds, 0.0)):
            raise Interrupted(self.words)

    @contextmanager
    def watching(
        self, child: subprocess.Popen[bytes], argv: Sequence[str], limit_s: Callable[[], float]
    ) -> Iterator[None]:
        """Kill a program whose time is over, or that nobody waits for any more: reading from it then comes to an end.

        `limit_s` may change its mind meanwhile. When the block has ended by itself: CommandTimeout, Interrupted, or
        what `limit_s` raised.
        """
        t0 = time.monotonic()
        done, killed = threading.Event(), threading.Event()
        trouble: list[Exception] = []

        def is_over() -> bool:
            try:
                return self.called_off.is_set() or time.monotonic() - t0 > limit_s()
            except Exception as error:  # raised again where somebody waits; a program without a watcher would hang us
                trouble.append(error)
                return True

        def watch() -> None:
            while not done.wait(POLL_S):
                if is_over():
                    killed.set()
                    kill_group(child)
                    return

        watcher = threading.Thread(target=watch, name="primetime-watching", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
        if trouble:
            raise trouble[0]
        if killed.is_set():
            self(0.0)
            raise CommandTimeout(argv, limit_s())
