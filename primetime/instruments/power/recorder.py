"""Meters recorded through a boot, each in a thread of its own, with the load of the host beside them.

Samples stay in memory until `chunks`, which the runner calls between windows only. A meter that fails is opened
again and again; what that cost is a fact. It never costs more than energy figures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from primetime.errors import UserError
from primetime.instruments.base import CLOCK_TICK_S, KeptFile
from primetime.instruments.power.base import JOULES, Meter, Reading
from primetime.model import Channel, Fact, SeriesChunk

PREFIX = "power."
LOAD = "load"
LOAD_HZ, HURRIED_HZ = 10.0, 50.0  # the higher rate at load pulses, whose edges tell the meter's clock
BUSY = Channel("busy", "CPU s", True)
RETRY_S, LONGEST_RETRY_S = 1.0, 30.0  # doubled while nothing comes: a meter that is gone must not load the host
MOST_HELD = 2_000_000  # samples between two `chunks`: hours of the fastest meter here
GARBAGE = (ValueError, LookupError)  # costs one reading; silence (OSError) costs the connection


class Recording:
    """One meter's thread and what it gave."""

    def __init__(self, meter: Meter, stop: threading.Event) -> None:
        self.meter = meter
        self.stop = stop
        self.lock = threading.Lock()
        self.readings: list[Reading] = []
        self.taken = self.errors = self.out_of_order = 0
        self.problem = ""
        self.last_t = float("-inf")
        self.thread = threading.Thread(target=self.run, name=f"primetime-{meter.name}", daemon=True)

    def run(self) -> None:
        """Open, read at the meter's own rate, open again after an error, until told to stop."""
        period = 1.0 / max(channel.hz for channel in self.meter.channels())
        wait_s = RETRY_S
        while not self.stop.is_set():
            before = self.taken
            try:
                self.meter.open()
                self.follow(period)
            except (OSError, UserError, *GARBAGE) as error:
                self.note(error)
            finally:
                self.meter.close()
            wait_s = RETRY_S if self.taken > before else min(2 * wait_s, LONGEST_RETRY_S)
            self.stop.wait(wait_s)

    def follow(self, period: float) -> None:
        """Read at absolute deadlines."""
        due = time.monotonic()
        while not self.stop.wait(max(0.0, due - time.monotonic())):
            try:
                for reading in self.meter.read():
                    self.keep(reading)
            except GARBAGE as error:
                self.note(error)
            due += period * (1 + max(0, int((time.monotonic() - due) / period)))

    def note(self, error: Exception) -> None:
        """Count a reading that did not come, and remember the last reason."""
        self.errors += 1
        self.problem = f"{type(error).__name__}: {error}"

    def keep(self, reading: Reading) -> None:
        """Hold a reading whose time is later than the last one's."""
        if reading.t <= self.last_t or len(self.readings) >= MOST_HELD:
            self.out_of_order += 1
            return
        self.last_t = reading.t
        with self.lock:
            self.readings.append(reading)
            self.taken += 1

    def chunk(self) -> SeriesChunk:
        """Hand over what was read since the last call."""
        with self.lock:
            readings, self.readings = self.readings, []
        declared = self.meter.channels()
        rows = tuple(tuple(one.values.get(channel.name) for channel in declared) for one in readings)
        channels = tuple(Channel(channel.name, channel.unit, channel.unit == JOULES) for channel in declared)
        name = f"{PREFIX}{self.meter.name}"
        return SeriesChunk(name, name, channels, tuple(one.t for one in readings), rows)

    def facts(self) -> list[Fact]:
        """How it went in this boot."""
        name = f"{PREFIX}{self.meter.name}"
        found = [Fact(f"{name}.samples", self.taken), Fact(f"{name}.errors", self.errors)]
        found += [Fact(f"{name}.problem", self.problem)] if self.problem else []
        return found + ([Fact(f"{name}.out_of_order", self.out_of_order)] if self.out_of_order else [])


class Recorder:
    """Records `meters` and the host's load inside a `with` block."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self.stop = threading.Event()
        self.load_period = 1.0 / LOAD_HZ
        self.recordings = [Recording(meter, self.stop) for meter in meters]
        self.load: list[tuple[float, float]] = []
        self.load_lock = threading.Lock()
        self.load_thread = threading.Thread(target=self.watch_load, name="primetime-load", daemon=True)

    def __enter__(self) -> Self:
        for thread in (self.load_thread, *(one.thread for one in self.recordings)):
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        for thread in (self.load_thread, *(one.thread for one in self.recordings)):
            thread.join()

    def watch_load(self) -> None:
        """Sample the busy CPU seconds of the whole host."""
        stat = KeptFile("/proc/stat")
        try:
            while not self.stop.wait(self.load_period - time.monotonic() % self.load_period):
                sample = (time.monotonic(), busy_seconds(stat.read().partition(b"\n")[0].decode("ascii")))
                with self.load_lock:
                    self.load.append(sample)
        finally:
            stat.close()

    def hurry(self, on: bool) -> None:
        """Sample the load faster from now on, or not any more."""
        self.load_period = 1.0 / (HURRIED_HZ if on else LOAD_HZ)

    def chunks(self) -> tuple[SeriesChunk, ...]:
        """Hand over all that was recorded since the last call; between windows only."""
        with self.load_lock:
            load, self.load = self.load, []
        rows = tuple((busy,) for _, busy in load)
        own = SeriesChunk(LOAD, "monotonic", (BUSY,), tuple(t for t, _ in load), rows)
        return (own, *(recording.chunk() for recording in self.recordings))

    def facts(self) -> tuple[Fact, ...]:
        """How every meter did in this boot."""
        return tuple(fact for recording in self.recordings for fact in recording.facts())


def busy_seconds(line: str) -> float:
    """CPU seconds that were not idle, from the first line of /proc/stat (guests are in user's already)."""
    ticks = [int(field) for field in line.split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) * CLOCK_TICK_S
