"""command: any program that prints watts, one line per sample: "time watts", or "watts" alone with clock "arrival".

[meter.mine]
kind = "command"
command = "/usr/local/bin/my-meter --rate 10"    # words between spaces, quoted as in a shell; no shell reads it
clock = "arrival"
hz = 10.0
resolution = 0.01
"""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack

from primetime.host.process import Spawning, spawn
from primetime.instruments.power.base import TOTAL, WATTS, Meter, Place, PowerChannel, Reading, Setting
from primetime.instruments.power.lines import CLOCK, RATE, check_clock, moment, watts
from primetime.model import Params

SILENCE_S, START_S = 3.0, 30.0  # between lines, and before the first: a busy board starts a program slowly
WAIT_S = 0.5


class CommandMeter(Meter):
    """See the module."""

    kind = "command"
    settings = (Setting("command", "", "the program and its words", required=True), CLOCK, *RATE)

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        check_clock(f"meter.{name}", self.word("clock"), self.word("place"))
        self.stack = ExitStack()
        self.child: subprocess.Popen[bytes] | None = None
        self.left = b""
        self.quiet_until = 0.0

    def channels(self) -> tuple[PowerChannel, ...]:
        step, hz, accuracy = (self.number(key) for key in ("resolution", "hz", "accuracy"))
        return (PowerChannel(TOTAL, WATTS, Place(self.word("place")), step, hz, accuracy, ""),)

    def open(self) -> None:
        how = Spawning(stdout=subprocess.PIPE, stop_s=1.0)
        self.child = self.stack.enter_context(spawn(shlex.split(self.word("command")), how))
        self.left = b""
        self.quiet_until = time.monotonic() + START_S

    def read(self) -> Sequence[Reading]:
        if self.child is None or self.child.stdout is None:
            raise OSError("the program does not run")
        pipe = self.child.stdout.fileno()
        if not select.select([pipe], [], [], WAIT_S)[0]:
            if time.monotonic() > self.quiet_until:
                raise OSError("the program prints nothing")
            return ()
        piece = os.read(pipe, 65536)
        arrived = time.monotonic()
        self.quiet_until = arrived + max(SILENCE_S, 3.0 / self.number("hz"))
        if not piece:
            raise OSError("the program has ended")
        *lines, self.left = (self.left + piece).split(b"\n")
        found = [self.reading(line.decode("utf-8", "replace"), arrived) for line in lines]
        return [one for one in found if one is not None]

    def reading(self, line: str, arrived: float) -> Reading | None:
        """One line; None for one that is no sample."""
        cells = line.replace(",", " ").split()
        timed = self.word("clock") != "arrival"
        try:
            t = moment(cells[0], self.word("clock")) if timed else arrived
            return Reading(t, {TOTAL: watts(cells[1 if timed else 0])})
        except (ValueError, IndexError):
            return None

    def close(self) -> None:
        self.stack.close()
        self.child = None
