"""A board's meter that hangs off this controller: recorded beside the campaign while `carry_out` sees to it.

A meter never costs more than energy figures: nothing here raises for one that fails, or for a full disk. A controller
that is killed leaves a gap, and the samples up to its last line.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.errors import UserError
from primetime.host.facts import boot_id
from primetime.instruments.power import meter, resolves
from primetime.instruments.power.base import JOULES
from primetime.instruments.power.controller_log import Beginning, BoardClock, ControllerLog
from primetime.instruments.power.recorder import Recording
from primetime.model import MeterSpec
from primetime.store import give_to_user

WRITE_S = 2.0  # the most that a kill can cost
TRIED_S = 10.0


class ControllerMeter:
    """One meter, recorded as long as `recording` lasts."""

    def __init__(self, spec: MeterSpec, path: Path) -> None:
        self.spec = spec
        self.log = ControllerLog(path)
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.recording_ = Recording(meter(spec), self.stop)
        self.writer = threading.Thread(target=self.write, name=f"primetime-log-{spec.name}", daemon=True)
        self.unwritten = ""  # why the log could not be written last
        self.seen = 0  # samples that `news` has spoken of
        self.said = ""

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record for the length of the block. UserError when the log cannot be begun."""
        channels = tuple((one.name, one.unit, one.unit == JOULES) for one in self.recording_.meter.channels())
        begun = Beginning(self.spec.name, self.spec.kind, boot_id(), time.time(), time.monotonic(), channels)
        self.written(lambda: self.log.begin(begun))
        if not self.unwritten:
            give_to_user(self.log.path)
        for thread in (self.recording_.thread, self.writer):
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in (self.recording_.thread, self.writer):
                thread.join()
            self.keep()

    def write(self) -> None:
        """Write down what was read, every few seconds."""
        while not self.stop.wait(WRITE_S):
            self.keep()

    def keep(self) -> None:
        """Append what was read since the last call, and how it went."""
        chunk = self.recording_.chunk()
        self.written(lambda: self.log.samples(chunk))

    def note_clock(self, seen: BoardClock) -> None:
        """Write down a look at the board's clock, and how the meter does."""
        self.written(lambda: self.log.clock(seen))
        self.written(lambda: self.log.state(self.recording_.errors, self.recording_.problem))

    def written(self, act: Callable[[], None]) -> None:
        """Append to the log; what cannot be written is lost, and said by `news`."""
        with self.lock:
            try:
                act()
            except OSError as error:
                self.unwritten = f"{self.log.path} cannot be written: {error.strerror or error}"

    def news(self) -> str:
        """Say what is wrong with the meter since the last call; "" when nothing is, or that has been said."""
        before, self.said = self.said, self.trouble()
        return self.said if self.said != before else ""

    def trouble(self) -> str:
        """Say what is wrong; "" when it gave samples since the last call and they were kept."""
        taken, problem = self.recording_.taken, self.recording_.problem
        silent, self.seen = taken == self.seen, taken
        if self.unwritten:
            return f"meter {self.spec.name}: {self.unwritten}: no energy figures from it"
        if silent:
            why = f" ({problem})" if problem else ""
            return f"meter {self.spec.name} gives nothing{why}: no energy figures until it does"
        return ""


def tried(spec: MeterSpec) -> str:
    """Read a meter once; say what it shows and what it can tell apart, or why it shows nothing."""
    one, name = meter(spec), f"meter {spec.name} ({spec.kind})"
    channel = one.channels()[0]
    deadline = time.monotonic() + TRIED_S
    try:
        one.open()
        while True:
            shown = [reading.values[channel.name] for reading in one.read() if channel.name in reading.values]
            if shown:
                return f"{name} shows {shown[-1]:.4g} {channel.unit}; {resolves(one)}"
            if time.monotonic() > deadline:
                return f"{name} shows nothing within {TRIED_S:g} s"
            time.sleep(1.0 / channel.hz)
    except (OSError, UserError, ValueError, LookupError) as error:
        hint = f" → {error.hint}" if isinstance(error, UserError) else ""
        return f"{name} cannot be read: {error}{hint}"
    finally:
        one.close()


@contextmanager
def metered(spec: MeterSpec | None, path: Path) -> Iterator[ControllerMeter | None]:
    """Record a device's meter for the length of the block, where it has one."""
    if spec is None:
        yield None
        return
    one = ControllerMeter(spec, path)
    with one.recording():
        yield one
