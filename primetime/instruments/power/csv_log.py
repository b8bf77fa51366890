"""csv: the log that some other meter's program writes, followed as it grows.

    [meter.lab]
    kind = "csv"
    path = "/var/log/meter.csv"
    time = 0                         # columns count from 0
    watts = 1
    clock = "unix"                   # s or ms since 1970, or ISO 8601; "monotonic": this host's own
    hz = 10.0
    resolution = 0.001

The log's clock need not be right: the load pulses find its offset, up to ten seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from primetime.instruments.power.base import TOTAL, WATTS, Meter, Place, PowerChannel, Reading, Setting
from primetime.instruments.power.lines import CLOCK, RATE, check_clock, moment, watts
from primetime.model import Params


class CsvLog(Meter):
    """See the module."""

    kind = "csv"
    settings = (
        Setting("path", "", "the log", required=True),
        Setting("time", 0, "the column with the time"),
        Setting("watts", 1, "the column with the power"),
        Setting("separator", ",", "between columns"),
        CLOCK,
        *RATE,
    )

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        check_clock(f"meter.{name}", self.word("clock"), self.word("place"))
        self.offset = -1
        self.left = b""

    def unavailable(self) -> str:
        return "" if Path(self.word("path")).is_file() else f"there is no {self.word('path')}"

    def channels(self) -> tuple[PowerChannel, ...]:
        step, hz, accuracy = (self.number(key) for key in ("resolution", "hz", "accuracy"))
        return (PowerChannel(TOTAL, WATTS, Place(self.word("place")), step, hz, accuracy, ""),)

    def open(self) -> None:
        size = Path(self.word("path")).stat().st_size
        if self.offset < 0 or size < self.offset:  # what was logged before is not ours; a shorter file is a new one
            self.offset, self.left = (size if self.offset < 0 else 0), b""

    def read(self) -> Sequence[Reading]:
        with Path(self.word("path")).open("rb") as log:
            log.seek(0, 2)
            if log.tell() < self.offset:
                self.offset, self.left = 0, b""
            log.seek(self.offset)
            new = log.read()
        self.offset += len(new)
        *lines, self.left = (self.left + new).split(b"\n")
        found = [self.reading(line.decode("utf-8", "replace")) for line in lines]
        return [one for one in found if one is not None]

    def reading(self, line: str) -> Reading | None:
        """One row; None for a heading or a row that is damaged."""
        cells = line.split(self.word("separator"))
        try:
            t = moment(cells[int(self.number("time"))].strip(), self.word("clock"))
            return Reading(t, {TOTAL: watts(cells[int(self.number("watts"))])})
        except (ValueError, IndexError):
            return None
