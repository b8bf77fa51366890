"""What is mounted, as this process sees it: the one reader of /proc/self/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")  # the kernel writes blanks and backslashes of a name as octal bytes


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount. `device`: "254:0"; `options`: of the mount, `super_options`: of its file system."""

    device: str
    path: Path
    options: str
    kind: str
    source: str
    super_options: str


def read_mounts() -> tuple[Mount, ...]:
    """All mounts, in the order of mounting."""
    return parse_mounts(MOUNTINFO.read_bytes())


def parse_mounts(content: bytes) -> tuple[Mount, ...]:
    """Parse mountinfo; names are bytes of any encoding, decoded as Python decodes file names."""
    found = []
    for line in content.splitlines():
        before, _, after = line.partition(b" - ")
        fields, about = ([as_name(field) for field in part.split(b" ")] for part in (before, after))
        found.append(Mount(fields[2], Path(fields[4]), fields[5], about[0], about[1], about[2]))
    return tuple(found)


def as_name(field: bytes) -> str:
    """One field as it was before the kernel escaped it."""
    return os.fsdecode(ESCAPED.sub(lambda octal: bytes([int(octal[1], 8)]), field))


def mounts_below(path: Path) -> list[Path]:
    """Mount points at or below `path`, latest first."""
    top = path.resolve()  # as the kernel names them
    return [one.path for one in read_mounts() if one.path == top or top in one.path.parents][::-1]
