"""joulescope: a Joulescope JS110 or JS220 on USB, by its maker's library.

[meter.js]
kind = "joulescope"              # pip install 'primetime[joulescope]'
current = "10 A"                 # a fixed range; "auto" changes it under way
voltage = "15V"
hz = 10                          # 1, 2, 5, 10, 20, 50 or 100
accuracy = 0.0                   # of your ranges, as its data sheet says: 0.01 for ±1 %

The instrument adds up energy itself, at millions of samples a second; what is read is its counter.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from primetime.errors import UserError
from primetime.instruments.power.base import JOULES, TOTAL, Meter, Place, PowerChannel, Reading, Setting, needs
from primetime.model import Params

RATES = (1, 2, 5, 10, 20, 50, 100)
SILENT_S = 3.0


class Joulescope(Meter):
    """See the module."""

    kind = "joulescope"
    settings = (
        Setting("current", "10 A", 'its current range, or "auto"'),
        Setting("voltage", "15V", "its voltage range"),
        Setting("hz", 10, f"readings a second: {', '.join(map(str, RATES))}"),
        Setting("accuracy", 0.0, "half-width of the maker's bound: 0.01 for ±1 %"),
        Setting("place", Place.SUPPLY.value, "supply or board: what its terminals are between"),
    )

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        if self.given["hz"] not in RATES or self.word("place") not in (Place.SUPPLY, Place.BOARD):
            words = f"meter.{name}: hz is one of {', '.join(map(str, RATES))}; place is supply or board"
            raise UserError(words, "leave them out: hz = 10, at the supply")
        self.heard: queue.SimpleQueue[tuple[float, Any]] = queue.SimpleQueue()
        self.device: Any = None
        self.counted = 0.0  # J over all times that it was opened: its own counter begins anew
        self.last = 0.0

    def channels(self) -> tuple[PowerChannel, ...]:
        missing = "the power supply's loss"
        hz, accuracy = self.number("hz"), self.number("accuracy")
        return (PowerChannel(TOTAL, JOULES, Place(self.word("place")), 1e-6, hz, accuracy, missing),)

    def open(self) -> None:
        library = needs("joulescope", "joulescope")
        self.heard, self.last = queue.SimpleQueue(), 0.0
        try:
            device = library.scan_require_one("Joulescope", config="off")
            device.parameter_set("reduction_frequency", f"{self.given['hz']} Hz")
            device.statistics_callback_register(self.hear, "sensor")
            device.open()
            self.device = device
            device.parameter_set("i_range", self.word("current"))
            device.parameter_set("v_range", self.word("voltage"))
        except (RuntimeError, KeyError, ValueError) as error:  # what the library raises for no device, or no such range
            raise OSError(f"the Joulescope cannot be opened: {error}") from error

    def hear(self, statistics: Mapping[str, Any]) -> None:
        """Take a message; called in a thread of the library's."""
        self.heard.put((time.monotonic(), statistics))

    def read(self) -> Sequence[Reading]:
        try:
            first = self.heard.get(timeout=SILENT_S)
        except queue.Empty:
            raise OSError("the Joulescope sends nothing") from None
        messages = [first]
        while not self.heard.empty():
            messages.append(self.heard.get())
        return [Reading(t, {TOTAL: self.count(energy(said))}) for t, said in messages]

    def count(self, joules: float) -> float:
        """Add what a message's counter gained; one that went back began anew."""
        self.counted += joules - self.last if joules >= self.last else joules
        self.last = joules
        return self.counted

    def close(self) -> None:
        if self.device is not None:
            with suppress(RuntimeError):  # it was unplugged
                self.device.close()
            self.device = None


def energy(statistics: Mapping[str, Any]) -> float:
    """The energy counter of a message, in J; ValueError for anything else."""
    try:
        said = statistics["accumulators"]["energy"]
        joules, unit = float(said["value"]), said["units"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a Joulescope's statistics ({type(error).__name__}: {error})") from None
    if unit != "J" or not -1e12 < joules < 1e12:
        raise ValueError(f"its energy is {joules} {unit}")
    return joules
