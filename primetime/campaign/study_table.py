"""One table of a study file: what every table reads, and quantities with a unit."""

from __future__ import annotations

from primetime.model.toml_table import TomlTable
from primetime.workloads.units import parse_duration, parse_size

MOST_BYTES = 2**50
MOST_SECONDS = 10 * 365 * 86400.0


class Table(TomlTable):
    """A table of a study file."""

    def size(self, key: str, default: int, least: int = 0) -> int:
        """Bytes, written with a unit."""
        value = parse_size(self.get(key, default))
        if value is None or not least <= value <= MOST_BYTES:
            at_least = f" of at least {least >> 20} MiB" if least else ""
            words = f"must be a size{at_least}, not {self.content[key]!r}"
            raise self.mistake(key, words, f'write {key} = "512MiB" (B, KiB, MiB, GiB, kB, MB, GB)')
        return value

    def duration(self, key: str, default: float) -> float:
        """Seconds, written with a unit."""
        value = parse_duration(self.get(key, f"{default!r}s"))
        if value is None or value > MOST_SECONDS:
            raise self.mistake(
                key, f"must be a duration, not {self.content[key]!r}", f'write {key} = "10s" (ms, s, min, h, d)'
            )
        return value
