"""Sizes and durations as study files write them."""

from __future__ import annotations

import re

SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
         "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}  # fmt: skip
DURATIONS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
SHARE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")


def parse_size(given: object) -> int | None:
    """Return bytes for "4KiB", "1.5 GB" or a whole number of bytes; None for anything else."""
    if isinstance(given, int) and not isinstance(given, bool):
        return given if given >= 0 else None
    found = _scaled(given, SIZES)
    return None if found is None else round(found)


def parse_duration(given: object) -> float | None:
    """Return seconds for "3s", "2 min" or "1.5h"; None for anything else (a bare number has no unit)."""
    return _scaled(given, DURATIONS)


def parse_share(given: object) -> float | None:
    """Return 0.5 for "50%"; None for anything else, and for what is not above 0 % and at most 100 %."""
    match = SHARE.fullmatch(given) if isinstance(given, str) else None
    share = float(match[1]) / 100.0 if match else 0.0
    return share if 0.0 < share <= 1.0 else None


def _scaled(given: object, units: dict[str, float] | dict[str, int]) -> float | None:
    match = NUMBER.fullmatch(given) if isinstance(given, str) else None
    if match is None or match[2] not in units:
        return None
    return float(match[1]) * units[match[2]]


def size_in_words(size: int) -> str:
    """Return the shortest exact form: 4096 → "4KiB"."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % SIZES[unit] == 0:
            return f"{size // SIZES[unit]}{unit}"
    return f"{size}B"
