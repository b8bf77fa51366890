"""How a board's clock stands to the controller's: asked a few times over a connection that is open already.

The answer with the shortest round trip counts; half of that is what it leaves open. The load pulses find the rest.
"""

from __future__ import annotations

import json
import time
from typing import IO

from primetime.instruments.power.controller_log import BoardClock

MARK = b"primetime-clock "
ROUNDS = 5


def ask_clock(to: IO[bytes], answers: IO[bytes]) -> BoardClock | None:
    """Ask `primetime board visit --clock`; None when it does not answer, and why stands in what it says else."""
    found: list[BoardClock] = []
    for _ in range(ROUNDS):
        t0 = time.monotonic()
        to.write(b"\n")
        to.flush()
        said = answer(answers)
        t1 = time.monotonic()
        if said is None:
            break
        found.append(BoardClock((t0 + t1) / 2, said[0], t1 - t0, said[1]))
    return min(found, key=lambda one: one.trip_s, default=None)


def answer(answers: IO[bytes]) -> tuple[float, str] | None:
    """The next answer, behind what a login shell may say; None at the end."""
    for line in iter(answers.readline, b""):
        if line.startswith(MARK):
            try:
                board_s, boot = json.loads(line.removeprefix(MARK))
                return float(board_s), str(boot)
            except (TypeError, ValueError):
                return None
    return None
