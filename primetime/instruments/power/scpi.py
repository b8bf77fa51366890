"""scpi: a bench power meter by SCPI: over a TCP socket, or through PyVISA for USB, GPIB, serial and VXI-11.

    [meter.wt310]
    kind = "scpi"
    host = "192.168.1.70"
    port = 5025
    # visa = "USB0::0x0B21::0x0025::C1::INSTR"    instead of host: pip install 'primetime[visa]'
    setup = ":INPUT:VOLTAGE:RANGE 15V;:INPUT:CURRENT:RANGE 2A;:RATE 100MS;:NUMERIC:NORMAL:ITEM1 P,1"
    query = ":NUMERIC:NORMAL:VALUE? 1"
    hz = 10.0
    resolution = 0.001
    accuracy = 0.0015

The defaults are the Yokogawa WT300E's words. Fix the ranges: auto-ranging loses samples when the load changes.
With `unit = "Wh"` the answer is the meter's own integral, which no sampling of ours can spoil.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

from primetime.errors import UserError
from primetime.instruments.power.base import (
    JOULES,
    TOTAL,
    WATTS,
    Meter,
    Place,
    PowerChannel,
    Reading,
    Setting,
    needs,
    now,
)
from primetime.model import Params

LIMIT_S = 2.0
WH = 3600.0
LONGEST_LINE = 4096
OVER = 9e37  # SCPI's "not a number" and "infinity" are 9.91e37 and 9.9e37


class Line(Protocol):
    """A connection that takes and gives lines."""

    def write(self, command: str) -> object: ...
    def query(self, command: str) -> str: ...
    def close(self) -> object: ...


class SocketLine:
    """SCPI over a plain TCP socket: lines ended by a newline."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=LIMIT_S)
        self.left = b""

    def write(self, command: str) -> None:
        self.socket.sendall(command.encode("ascii") + b"\n")

    def query(self, command: str) -> str:
        self.left = b""  # a late answer to an earlier question is not this one's
        self.write(command)
        while b"\n" not in self.left:
            piece = self.socket.recv(LONGEST_LINE)
            if not piece or len(self.left) > LONGEST_LINE:
                raise OSError("the meter closed the connection" if not piece else "the meter's answer has no end")
            self.left += piece
        line, _, self.left = self.left.partition(b"\n")
        return line.decode("ascii", "replace").strip()

    def close(self) -> None:
        self.socket.close()


class Scpi(Meter):
    """See the module."""

    kind = "scpi"
    settings = (
        Setting("host", "", "the meter's address"),
        Setting("port", 5025, "its SCPI socket"),
        Setting("visa", "", "a VISA resource name, instead of host"),
        Setting("setup", ":RATE 100MS;:NUMERIC:NORMAL:ITEM1 P,1", "commands sent once, between semicolons"),
        Setting("query", ":NUMERIC:NORMAL:VALUE? 1", "what is asked for every sample"),
        Setting("unit", WATTS, 'what the answer is: "W", "Wh" or "J"'),
        Setting("hz", 10.0, "new values a second"),
        Setting("resolution", 0.001, "the answer's step, in W (or J)"),
        Setting("accuracy", 0.0015, "half-width of the maker's bound: 0.0015 for ±0.15 %"),
        Setting("place", Place.WALL.value, "wall, supply or board"),
    )

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        self.line: Line | None = None
        if bool(self.word("host")) == bool(self.word("visa")):
            raise UserError(f"meter.{name}: give either host or visa", 'e.g. host = "192.168.1.70"')
        if self.word("unit") not in (WATTS, "Wh", JOULES) or self.word("place") not in list(Place):
            raise UserError(f"meter.{name}: unit is W, Wh or J; place is wall, supply or board", "correct it")

    def channels(self) -> tuple[PowerChannel, ...]:
        unit = WATTS if self.word("unit") == WATTS else JOULES
        step, hz, accuracy = (self.number(key) for key in ("resolution", "hz", "accuracy"))
        return (PowerChannel(TOTAL, unit, Place(self.word("place")), step, hz, accuracy, ""),)

    def open(self) -> None:
        self.line = self.visa() if self.word("visa") else SocketLine(self.word("host"), int(self.number("port")))
        for command in filter(None, (part.strip() for part in self.word("setup").split(";"))):
            self.line.write(command)

    def visa(self) -> Line:
        """A line through PyVISA and its own back end in Python."""
        pyvisa = needs("pyvisa", "visa")
        needs("pyvisa_py", "visa")
        try:
            line: Line = pyvisa.ResourceManager("@py").open_resource(
                self.word("visa"), read_termination="\n", write_termination="\n", timeout=int(LIMIT_S * 1000)
            )
        except pyvisa.errors.Error as error:
            raise OSError(str(error)) from error
        return line

    def read(self) -> Sequence[Reading]:
        if self.line is None:
            raise OSError("the meter is not open")
        value = float(self.ask(self.line))
        if not abs(value) < OVER:
            raise ValueError("the meter says that it is over its range")
        return now({TOTAL: value * (WH if self.word("unit") == "Wh" else 1.0)})

    def ask(self, line: Line) -> str:
        """The answer; OSError for whatever a library calls silence."""
        if not self.word("visa"):
            return line.query(self.word("query"))
        pyvisa = needs("pyvisa", "visa")
        try:
            return line.query(self.word("query"))
        except pyvisa.errors.Error as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        if self.line is not None:
            self.line.close()
            self.line = None
