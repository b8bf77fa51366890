"""What reaches the device under the volume: sectors and flushes, from /sys/block/…/stat.

Fields by the kernel's Documentation/block/stat.rst; flushes exist since Linux 5.5, discards since 4.18.
A sector is 512 bytes there, whatever the device's block size.
"""

from __future__ import annotations

from pathlib import Path

from primetime.host.volume import queue_directory
from primetime.instruments.base import Instrument, KeptFile, Raw, Reading, cost, total
from primetime.model import Channel, Footprint, Measurement

SECTOR = 512
FIELDS = {0: "reads", 2: "read_bytes", 4: "writes", 6: "written_bytes", 13: "discarded_bytes", 15: "flushes"}
BYTES = ("read_bytes", "written_bytes", "discarded_bytes")


class Disk(Instrument):
    """The block device that holds `directory`."""

    name = "disk"
    hz = 10.0

    def __init__(self, directory: Path) -> None:
        super().__init__()
        queue = queue_directory(directory)
        self.stat = queue.parent / "stat" if queue else None

    def unavailable(self) -> str:
        return "" if self.stat else "the volume's file system lies on no block device of its own"

    def open(self, footprint: Footprint) -> None:  # noqa: ARG002 - the device is the volume's
        if self.stat is not None:
            self.files = [KeptFile(self.stat)]

    def parse(self, raw: Raw) -> Reading:
        values = [int(field) for field in raw[0].split()]
        found: dict[Channel, float] = {}
        for index, name in FIELDS.items():
            if index < len(values):
                scale, unit = (SECTOR, "B") if name in BYTES else (1, "1")
                found[Channel(name, unit, True)] = float(values[index] * scale)
        return found

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        found = [
            cost("disk_read", "B", total(before, after, "read_bytes")),
            cost("disk_written", "B", total(before, after, "written_bytes")),
        ]
        if any(channel.name == "flushes" for channel in after):
            found.append(cost("disk_flushes", "1", total(before, after, "flushes")))
        return tuple(found)
