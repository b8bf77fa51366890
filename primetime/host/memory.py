"""What the kernel says of memory: /proc/meminfo, of the host or from inside a guest, and the PSS of processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
KIB = 1024


def parse_meminfo(content: bytes) -> dict[str, int]:
    """Return /proc/meminfo in bytes by name (counts stay counts)."""
    found: dict[str, int] = {}
    for line in content.decode("ascii").splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        found[name] = int(words[0]) * (KIB if len(words) > 1 else 1)
    return found


def unwritten_bytes(meminfo: Mapping[str, int]) -> int:
    """What waits to be written: dirty pages, and those that are under way."""
    return meminfo["Dirty"] + meminfo["Writeback"]


def proportional_bytes(pids: Iterable[int]) -> int:
    """The PSS of processes: of memory that several share each is charged its part. One that has ended counts 0.

    Before Linux 4.14 only smaps tells, by mapping.
    """
    name = "smaps_rollup" if Path("/proc/self/smaps_rollup").exists() else "smaps"
    total = 0
    for pid in pids:
        try:
            total += parse_pss(Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def parse_pss(text: str) -> int:
    """Sum the Pss lines of smaps_rollup (one) or smaps (one by mapping), in bytes."""
    return sum(int(line.split()[1]) * KIB for line in text.splitlines() if line.startswith("Pss:"))
