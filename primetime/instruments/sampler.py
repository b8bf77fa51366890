"""One thread that samples all instruments through a boot, and edges that the runner takes at windows.

Deadlines are absolute on CLOCK_MONOTONIC, so a late sample does not shift the later ones. Samples stay
raw in memory until `chunks`, which the runner calls between windows only. An instrument that fails is
left out from then on and `facts` says why; the others go on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from primetime.instruments.base import Instrument, Raw, Reading
from primetime.model import Channel, Fact, Footprint, Measurement, SeriesChunk

CLOCK = "monotonic"
HELD_LIMIT = 128 * 1024 * 1024  # bytes of raw samples between two `chunks`; a board may have 1 GB in all
SAMPLE_OVERHEAD = 200  # bytes that Python adds to a sample: tuples, a float, bytes headers
FAILURES = (OSError, LookupError, ValueError)  # what reading and parsing text that looks otherwise can raise

Sample = tuple[float, Raw]


@dataclass(frozen=True, slots=True)
class Edge:
    """Every instrument read at one moment: (time, raw) in the sampler's order, None for a failed one."""

    readings: tuple[Sample | None, ...]


class Sampler:
    """Samples `instruments` on `footprint` inside a `with` block. `held_limit`: bytes kept between `chunks`."""

    def __init__(self, instruments: Sequence[Instrument], footprint: Footprint, held_limit: int = HELD_LIMIT) -> None:
        self.instruments = tuple(instruments)
        self.footprint = footprint
        self.held_limit = held_limit
        self.held = 0
        self.dropped = 0
        self.failed: dict[str, str] = {}  # instrument → reason
        self.samples: list[list[Sample]] = [[] for _ in self.instruments]
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.bug: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="primetime-sampler", daemon=True)
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for instrument in self.instruments:
                stack.callback(instrument.close)
                self._open(instrument)
            self.thread.start()
            self.stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self.thread.join()
        self.stack.close()

    def edge(self) -> Edge:
        """Read everything now; the readings are samples of the series as well."""
        if self.bug is not None:
            raise self.bug
        with self.lock:
            return Edge(tuple(self._read(index) for index in range(len(self.instruments))))

    def hold(self, seconds: float) -> None:
        """Wait while sampling goes on; 0 returns at once."""
        if seconds > 0:
            self.stop.wait(seconds)

    def measurements(self, before: Edge, after: Edge) -> tuple[Measurement, ...]:
        """Turn the readings at a window's edges into figures, by every instrument that has some."""
        found: list[Measurement] = []
        for instrument, first, last in zip(self.instruments, before.readings, after.readings, strict=True):
            if first is not None and last is not None:
                try:
                    readings = instrument.parse(first[1]), instrument.parse(last[1])
                    found.extend(instrument.window(*readings, last[0] - first[0]))
                except FAILURES as error:
                    self._fail(instrument, "no figures of a window", error)
        return tuple(found)

    def chunks(self) -> tuple[SeriesChunk, ...]:
        """Parse and hand over what was sampled since the last call; between windows only."""
        with self.lock:
            taken, self.samples = self.samples, [[] for _ in self.instruments]
            self.held = 0
        found: list[SeriesChunk] = []
        for instrument, samples in zip(self.instruments, taken, strict=True):
            try:
                readings = [(moment, instrument.parse(raw)) for moment, raw in samples]
            except FAILURES as error:
                self._fail(instrument, "not understood", error)
                continue
            if readings:
                found.append(chunk(instrument.name, readings))
        return tuple(found)

    def facts(self) -> tuple[Fact, ...]:
        """Which instruments failed and why, and how many samples found no room; empty when all went well."""
        found = [Fact(f"instrument.{name}", f"failed: {reason}") for name, reason in self.failed.items()]
        if self.dropped:
            found.append(Fact("instrument.samples_dropped", self.dropped))
        return tuple(found)

    def _open(self, instrument: Instrument) -> None:
        try:
            instrument.open(self.footprint)
        except FAILURES as error:
            self._fail(instrument, "not opened", error)

    def _fail(self, instrument: Instrument, what: str, error: Exception) -> None:
        self.failed.setdefault(instrument.name, f"{what}: {type(error).__name__}: {error}")

    def _read(self, index: int) -> Sample | None:
        """Read one instrument now; the lock is held."""
        instrument = self.instruments[index]
        if instrument.name in self.failed:
            return None
        moment = time.monotonic()
        try:
            sample = (moment, instrument.read())
        except FAILURES as error:
            self._fail(instrument, "not read", error)
            return None
        size = SAMPLE_OVERHEAD + sum(len(piece) for piece in sample[1])
        if self.held + size > self.held_limit:
            self.dropped += 1  # the edge is still good: it goes to the caller
        else:
            self.held += size
            self.samples[index].append(sample)
        return sample

    def _run(self) -> None:
        periods = {index: 1.0 / member.hz for index, member in enumerate(self.instruments) if member.hz > 0}
        due = dict.fromkeys(periods, time.monotonic())
        try:
            while due and not self.stop.wait(max(0.0, min(due.values()) - time.monotonic())):
                self._sample_due(due, periods)
        except BaseException as error:  # a bug of ours: the next edge raises it in the runner's thread
            self.bug = error

    def _sample_due(self, due: dict[int, float], periods: dict[int, float]) -> None:
        with self.lock:
            now = time.monotonic()
            for index, moment in due.items():
                if moment <= now:
                    self._read(index)
                    missed = int((now - moment) / periods[index])
                    due[index] = moment + (missed + 1) * periods[index]


def chunk(name: str, readings: Sequence[tuple[float, Reading]]) -> SeriesChunk:
    """Lay parsed samples out as rows over the union of their channels."""
    channels: dict[Channel, None] = {}
    for _, reading in readings:
        channels.update(dict.fromkeys(reading))
    rows = tuple(tuple(reading.get(channel) for channel in channels) for _, reading in readings)
    return SeriesChunk(name, CLOCK, tuple(channels), tuple(moment for moment, _ in readings), rows)
