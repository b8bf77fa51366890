"""Series as they lie in the file: JSON arrays relative to a chunk's first sample, unfolded by the view `series_points`.

A row of samples is [dt, d0, d1, …]: dt in seconds after the chunk's first sample, dk the difference from channel k's
base. Integers stay integers, so counters are exact; null stands where a channel did not exist.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from primetime.model import SeriesChunk

Number = int | float
TIME_DIGITS = 4  # 0.1 ms: a hundredth of the finest sampling interval in use


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """The columns of one row of `series_chunk`."""

    clock: str
    t0: float
    channels: str
    base: str
    samples: str


def encode(chunk: SeriesChunk) -> StoredChunk:
    """Return `chunk` as it is stored; a value that is not finite is stored as absent."""
    rows = [[_finite(value) for value in row] for row in chunk.rows]
    base = [_first(rows, channel) for channel in range(len(chunk.channels))]
    t0 = chunk.t[0]
    samples = [
        [_compact(round(t - t0, TIME_DIGITS)), *map(_difference, row, base)]
        for t, row in zip(chunk.t, rows, strict=True)
    ]
    channels = [[channel.name, channel.unit, int(channel.cumulative)] for channel in chunk.channels]
    return StoredChunk(chunk.clock, t0, _dump(channels), _dump(base), _dump(samples))


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _finite(value: Number | None) -> Number | None:
    return value if value is not None and math.isfinite(value) else None


def _first(rows: list[list[Number | None]], channel: int) -> Number:
    return next((row[channel] for row in rows if row[channel] is not None), 0) or 0


def _difference(value: Number | None, base: Number) -> Number | None:
    """Return the shortest number that gives `value` when it is added to `base`."""
    if value is None:
        return None
    difference = value - base
    if isinstance(difference, int):
        return difference
    for digits in (0, 2, 4, 6, 9):
        short = round(difference, digits)
        if base + short == value:
            return _compact(short)
    return difference


def _compact(value: float) -> Number:
    """Return a whole float as an integer: two characters less in JSON."""
    return int(value) if value.is_integer() else value
