"""Series of a meter that hangs off a fleet's controller, put into the campaign that came from the board.

They lie there as a local meter's would: in every boot that they cover, on the board's clock as the controller saw it
at its visits, with the offset, drift and filter that the boot's load pulses show beside that. What was not recorded
is a gap: it costs the energy figures that it touches.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from primetime.campaign.meter_clock import Series, aligned, boot_clock, note_clock
from primetime.campaign.metering import AFTER, BEFORE
from primetime.errors import UserError
from primetime.instruments.power.controller_log import BoardClock, Session
from primetime.instruments.power.recorder import LOAD, PREFIX
from primetime.intervals import interpolated
from primetime.model import Channel, Fact, SeriesChunk
from primetime.store import CampaignFile, ClockRelation

CLOCK = "controller"
BESIDE_S = 5.0  # of series on both sides of a boot: the clocks are not known better until the pulses are seen
LOADS = "SELECT t, value FROM series_points WHERE boot = ? AND instrument = ? ORDER BY t"
TRAINS = "SELECT t0, t1 FROM phases WHERE boot = ? AND phase IN (?, ?) AND t1 > t0 ORDER BY t0"
STARTS = "SELECT scope_id, value FROM facts WHERE scope = 'boot' AND name = 'host.boot_id'"


@dataclass(frozen=True, slots=True)
class Placed:
    """What one session saw, on the clock of one start of the board. `doubt_s`: half the worst round trip."""

    t: list[float]
    rows: Sequence[tuple[float | None, ...]]
    doubt_s: float

    def near(self, t0: float, t1: float) -> tuple[list[float], list[tuple[float | None, ...]]]:
        """The samples of a stretch."""
        low, high = bisect_left(self.t, t0), bisect_right(self.t, t1)
        return self.t[low:high], list(self.rows[low:high])


def merge(path: Path, sessions: Sequence[Session]) -> None:
    """Put what controllers recorded into a campaign file that holds nothing of it yet; nothing for no sessions.

    A place without room comes as SQLite says it: this is a controller's copy, which nobody resumes by its path.
    """
    if not sessions:
        return
    with sqlite_said(), CampaignFile.open(path, write=True) as campaign:
        facts: list[Fact] = []
        for name in dict.fromkeys(session.beginning.meter for session in sessions):
            own = [session for session in sessions if session.beginning.meter == name]
            facts += session_facts(name, own)
            merge_meter(campaign, name, own)
        campaign.add_facts(facts)


@contextmanager
def sqlite_said() -> Iterator[None]:
    """Raise what SQLite raised where the store tells how to go on with a run of this device."""
    try:
        yield
    except UserError as error:
        if isinstance(error.__cause__, sqlite3.OperationalError):
            raise error.__cause__ from None
        raise


def session_facts(name: str, sessions: Sequence[Session]) -> list[Fact]:
    """How the recording went: how many controllers took part, and how their two clocks stood when they began."""
    own = f"{PREFIX}{name}"
    found = [
        Fact(f"{own}.controllers", len(sessions)),
        Fact(f"{own}.controller_errors", sum(session.errors for session in sessions)),
        Fact(f"{own}.controller_unix_s", round(offset_of_unix(sessions[-1]), 3)),
    ]
    problems = [session.problem for session in sessions if session.problem]
    return found + ([Fact(f"{own}.controller_problem", problems[-1])] if problems else [])


def offset_of_unix(session: Session) -> float:
    """What must be added to the controller's CLOCK_MONOTONIC to get UNIX time, as it saw it."""
    return session.beginning.unix_s - session.beginning.monotonic_s


def merge_meter(campaign: CampaignFile, name: str, sessions: Sequence[Session]) -> None:
    """Put one meter's series into every boot that they cover."""
    pulses = campaign.study().power.pulse_s > 0
    starts = {int(row["scope_id"]): str(row["value"]) for row in campaign.rows(STARTS)}
    placed = {start: place(campaign, sessions, start) for start in dict.fromkeys(starts.values())}
    for boot in campaign.boots():
        number = int(boot["boot"])
        if boot["t1"] is None or number not in starts:
            continue
        seen = placed[starts[number]]
        samples, rows = [], []
        for part in seen:
            t, found = part.near(boot["t0"] - BESIDE_S, boot["t1"] + BESIDE_S)
            samples += t
            rows += found
        chunk = increasing(name, sessions[-1].channels, samples, rows)
        chunk = replace(chunk, clock=boot_clock(chunk.clock, number))
        campaign.add_chunks(number, [chunk])
        facts = boot_facts(campaign, number, chunk, pulses)
        facts.append(Fact(f"{PREFIX}{name}.visit_doubt_s", round(max((one.doubt_s for one in seen), default=0.0), 4)))
        campaign.add_facts(Fact(fact.name, fact.value, "boot", str(number)) for fact in facts)


def place(campaign: CampaignFile, sessions: Sequence[Session], start: str) -> list[Placed]:
    """Bring every session to the clock of one start of the board, where it was looked at; the rest is left out.

    Looks count for all sessions of the controller's own start, so that one that was killed before it came to a visit
    is not lost.
    """
    found = []
    for session in sessions:
        kin = [one for one in sessions if one.beginning.boot == session.beginning.boot]
        looks = sorted((c for one in kin for c in one.clocks if c.board_boot == start), key=lambda c: c.at)
        if looks:
            offsets = [(one.at, one.board_s - one.at) for one in looks]
            campaign.add_clock(clock_relation(looks))
            doubt = max(one.trip_s for one in looks) / 2
            found.append(Placed([t + interpolated(offsets, t) for t in session.t], session.rows, doubt))
    return found


def clock_relation(looks: Sequence[BoardClock]) -> ClockRelation:
    """How the controller's clock stood to the board's over its visits, for the view `clocks`."""
    first, last = looks[0], looks[-1]
    offset = first.board_s - first.at
    seconds = last.at - first.at
    drift = (last.board_s - last.at - offset) / seconds if seconds > 0 else 0.0
    return ClockRelation.seen(CLOCK, offset, first.at, 1e6 * drift, median(one.trip_s for one in looks) / 2)


def increasing(
    name: str, channels: tuple[Channel, ...], times: Sequence[float], rows: Sequence[tuple[float | None, ...]]
) -> SeriesChunk:
    """One chunk of what several sessions gave; what would go back in time is left out."""
    kept: list[tuple[float, tuple[float | None, ...]]] = []
    for t, row in zip(times, rows, strict=True):
        if not kept or t > kept[-1][0]:
            kept.append((t, row))
    own = f"{PREFIX}{name}"
    return SeriesChunk(own, own, channels, tuple(t for t, _ in kept), tuple(row for _, row in kept))


def boot_facts(campaign: CampaignFile, boot: int, chunk: SeriesChunk, pulses: bool) -> list[Fact]:
    """Align a boot's series by its load pulses, as the runner does with a local meter's; what it says of them."""
    watts: Series = [(t, row[0]) for t, row in zip(chunk.t, chunk.rows, strict=True) if row[0] is not None]
    load: Series = [(row["t"], row["value"]) for row in campaign.rows(LOADS, boot, LOAD)]
    trains = [(row["t0"], row["t1"]) for row in campaign.rows(TRAINS, boot, BEFORE, AFTER)] if pulses else []
    found = aligned(trains, load, watts, chunk.channels[0].unit)
    return [Fact(f"{chunk.instrument}.samples", len(chunk.t)), *note_clock(campaign, chunk.instrument, boot, found)]
