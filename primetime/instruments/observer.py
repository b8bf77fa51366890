"""What primetime itself costs: CPU time and I/O of this process, measured like everybody's."""

from __future__ import annotations

import time
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
        return [Path("/proc/self/io")]

    def read(self) -> Raw:
        used = time.process_time_ns()  # all threads, in ns: /proc/self/stat knows only ticks of 10 ms
        return (str(used).encode("ascii"), *super().read())

    def parse(self, raw: Raw) -> Reading:
        io = dict(line.split(": ") for line in raw[1].decode("ascii").splitlines())
        return {
            Channel("cpu", "CPU s", True): int(raw[0]) / 1e9,
            Channel("written_bytes", "B", True): float(io["write_bytes"]),
            Channel("read_bytes", "B", True): float(io["read_bytes"]),
        }

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        return (
            cost("observer_cpu", "CPU s", total(before, after, "cpu")),
            cost("observer_read", "B", total(before, after, "read_bytes")),
            cost("observer_written", "B", total(before, after, "written_bytes")),
        )
