"""What primetime itself costs: CPU time and I/O of this process, measured like everybody's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from primetime.instruments.base import Instrument, Raw, Reading, cost, total
from primetime.model import Channel, Footprint, Measurement


class Observer(Instrument):
    """This process, without its children: those are the environment's or the peer's."""

    name = "observer"
    hz = 1.0

    def unavailable(self) -> str:
        counted = Path("/proc/self/io").exists()
        return "" if counted else "this kernel counts no I/O by process (CONFIG_TASK_IO_ACCOUNTING)"

    def paths(self, footprint: Footprint) -> list[Path]:  # noqa: ARG002 - only ourselves
        return []

    def read(self) -> Raw:
        used = time.process_time_ns()  # all threads, in ns: /proc/self/stat knows only ticks of 10 ms
        return (str(used).encode("ascii"), *threads_io())

    def parse(self, raw: Raw) -> Reading:
        counts = [dict(line.split(": ") for line in one.decode("ascii").splitlines()) for one in raw[1:]]
        return {
            Channel("cpu", "CPU s", True): int(raw[0]) / 1e9,
            Channel("written_bytes", "B", True): sum(float(one["write_bytes"]) for one in counts),
            Channel("read_bytes", "B", True): sum(float(one["read_bytes"]) for one in counts),
        }

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        return (
            cost("observer_cpu", "CPU s", total(before, after, "cpu")),
            cost("observer_read", "B", total(before, after, "read_bytes")),
            cost("observer_written", "B", total(before, after, "written_bytes")),
        )


def threads_io() -> Iterator[bytes]:
    """The I/O counters of our threads; the process's own also hold those of children that have ended, such as fio's."""
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has just ended
            yield (task / "io").read_bytes()
