"""What a fleet's controller wrote down of a board's meter: one JSON object a line, appended, never rewritten.

A line is `{"session": …}` when a controller begins, `{"t": […], "rows": […]}` for samples, `{"clock": …}` for every
look at the board's clock, `{"state": …}` for how the meter does. Times are CLOCK_MONOTONIC of the controller. A line
that a kill cut off is passed over, and what it held is a gap.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from primetime.model import Channel, SeriesChunk


@dataclass(frozen=True, slots=True)
class Beginning:
    """A controller that begins to record. `boot`: what tells one start of its machine from the next.

    `unix_s` − `monotonic_s` is what its two clocks are apart.
    """

    meter: str
    kind: str
    boot: str
    unix_s: float
    monotonic_s: float
    channels: tuple[tuple[str, str, bool], ...]  # name, unit, cumulative


@dataclass(frozen=True, slots=True)
class BoardClock:
    """One look at a board's CLOCK_MONOTONIC: `board_s` when the controller's was `at`, give or take half `trip_s`."""

    at: float
    board_s: float
    trip_s: float
    board_boot: str


@dataclass(slots=True)
class Session:
    """One controller's part of a log. `t` strictly increases."""

    beginning: Beginning
    t: list[float] = field(default_factory=list)
    rows: list[tuple[float | None, ...]] = field(default_factory=list)
    clocks: list[BoardClock] = field(default_factory=list)
    errors: int = 0
    problem: str = ""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The meter's columns."""
        return tuple(Channel(*one) for one in self.beginning.channels)


class ControllerLog:
    """The writing side: every line is on disk when a call returns. OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, beginning: Beginning) -> None:
        """Begin a session, on a line of its own whatever stands before it."""
        self.write({"session": asdict(beginning)}, before="\n")

    def samples(self, chunk: SeriesChunk) -> None:
        """Append samples; nothing where there are none."""
        if chunk.t:
            self.write({"t": [round(t, 4) for t in chunk.t], "rows": chunk.rows})

    def clock(self, seen: BoardClock) -> None:
        """Append a look at the board's clock."""
        self.write({"clock": asdict(seen)})

    def state(self, errors: int, problem: str) -> None:
        """Append how many readings failed in this session, and why the last one did."""
        self.write({"state": {"errors": errors, "problem": problem}})

    def write(self, content: dict[str, Any], before: str = "") -> None:
        """Append one object."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{before}{json.dumps(content, separators=(',', ':'))}\n")
            file.flush()
            os.fsync(file.fileno())


def read_log(path: Path) -> list[Session]:
    """Return what a log holds, in the order it was written; nothing where there is no log."""
    sessions: list[Session] = []
    for line in objects(path):
        try:
            if "session" in line:
                sessions.append(Session(beginning(line["session"])))
            elif sessions:
                add(sessions[-1], line)
        except (TypeError, KeyError, ValueError):
            continue
    return sessions


def objects(path: Path) -> Iterator[dict[str, Any]]:
    """Every whole object of a log."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found


def beginning(content: dict[str, Any]) -> Beginning:
    """A session's first line. KeyError, TypeError, ValueError."""
    channels = tuple((str(name), str(unit), bool(cumulative)) for name, unit, cumulative in content["channels"])
    return Beginning(**{**content, "channels": channels})


def add(session: Session, line: dict[str, Any]) -> None:
    """Take in one line. KeyError, TypeError, ValueError."""
    if "clock" in line:
        session.clocks.append(BoardClock(**line["clock"]))
    elif "state" in line:
        session.errors, session.problem = int(line["state"]["errors"]), str(line["state"]["problem"])
    else:
        keep(session, line["t"], line["rows"])


def keep(session: Session, times: Sequence[float], rows: Sequence[Sequence[float | None]]) -> None:
    """Add samples whose time is later than the last one's."""
    for t, row in zip(times, rows, strict=True):
        values = tuple(None if value is None else float(value) for value in row)
        if not session.t or t > session.t[-1]:
            session.t.append(float(t))
            session.rows.append(values)
