"""The seam of every instrument: cheap reading inside a window, parsing after it.

A member is one short file: a subclass with its `name`, its rate, what it opens, and how it parses. Files
are kept open and re-read with pread, so that a sample costs one system call per file and no allocation
that matters.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from primetime.model import Channel, Direction, Footprint, Measurement, Metric, MetricKind

PIECE = 65536
Raw = tuple[bytes, ...]
Reading = Mapping[Channel, float]
CLOCK_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


class KeptFile:
    """A file of /proc or /sys, opened once and read whole again and again."""

    def __init__(self, path: Path | str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> bytes:
        """Return the whole content now; OSError when what it describes is gone.

        A read hands out whole records of at most a page or so, however much is asked for, so only an
        empty one is the end: /proc/net/dev of many interfaces takes several.
        """
        pieces: list[bytes] = []
        offset = 0
        while piece := os.pread(self.descriptor, PIECE, offset):
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)


class Instrument(ABC):
    """Something to watch. `hz`: samples per second; 0: only at the edges of windows."""

    name: ClassVar[str]
    hz: ClassVar[float]

    def __init__(self) -> None:
        self.files: list[KeptFile] = []

    def unavailable(self) -> str:
        """Say why this device cannot be watched so; "" when it can."""
        return ""

    def open(self, footprint: Footprint) -> None:
        """Open what `paths` names; members with other needs override this."""
        self.files = [KeptFile(path) for path in self.paths(footprint)]

    def paths(self, footprint: Footprint) -> list[Path]:  # noqa: ARG002 - most watch the whole host
        """The files that are read at every sample."""
        return []

    def read(self) -> Raw:
        """Read now, parse nothing. A file that is gone reads as empty."""
        return tuple(read_or_empty(file) for file in self.files)

    @abstractmethod
    def parse(self, raw: Raw) -> Reading:
        """Turn one reading into values by channel."""

    def window(self, before: Reading, after: Reading, seconds: float) -> tuple[Measurement, ...]:  # noqa: ARG002
        """Turn the readings at a window's edges into figures."""
        return ()

    def close(self) -> None:
        """Close all files."""
        for file in self.files:
            file.close()
        self.files = []


def read_or_empty(file: KeptFile) -> bytes:
    """The file's content; b"" when the process or device behind it is gone."""
    try:
        return file.read()
    except OSError:
        return b""


def growth(before: Reading, after: Reading, name: str) -> float | None:
    """The growth of one cumulative channel over a window; None where it is absent at an edge."""
    for channel, value in after.items():
        if channel.name == name and channel in before:
            return value - before[channel]
    return None


def total(before: Reading, after: Reading, name: str) -> float:
    """The growth of a channel that is always there. Raises KeyError."""
    grown = growth(before, after, name)
    if grown is None:
        raise KeyError(name)
    return grown


def cost(name: str, unit: str, value: float) -> Measurement:
    """A figure of which less is better."""
    return Measurement(Metric(name, unit, Direction.LOWER, MetricKind.COST), value)
