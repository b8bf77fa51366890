"""What is watched: channels, samples and facts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """One column of an instrument. `cumulative`: a counter whose differences count, not its values."""

    name: str
    unit: str
    cumulative: bool


@dataclass(frozen=True, slots=True)
class SeriesChunk:
    """Samples of one instrument since the last commit.

    `t`: seconds on `clock` ("monotonic"), strictly increasing; `rows[i][k]`: channel k at t[i], None
    where it did not exist then (a thread that had not started yet).
    """

    instrument: str
    clock: str
    channels: tuple[Channel, ...]
    t: tuple[float, ...]
    rows: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """A named stretch of a boot (or, with `trial`, of a trial). Host CLOCK_MONOTONIC seconds."""

    name: str
    t0: float
    t1: float
    trial: int | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """What was true of the machine. `scope`: campaign, environment, boot or trial; `scope_id` within it."""

    name: str
    value: str | int | float | bool | None
    scope: str = "campaign"
    scope_id: str = ""
