"""A cap on what a program reads from a disk, by the block layer's throttling: a truth that is known beforehand.

Two native environments of which one is capped differ by exactly what the caps say. That is how a campaign shows that
it finds what is there (docs/statistics.md).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import UndoFailed, UserError
from primetime.host.ledger import Act, Json, Ledger
from primetime.host.mounts import Mount, read_mounts
from primetime.host.process import Placement
from primetime.host.volume import queue_directory

KIND = "io-group"  # of its act in the ledger
REMOVE_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class ReadCap:
    """`group`: a name below the controller's root; `volume`: a path on the disk; bytes per second."""

    group: str
    volume: Path
    bytes_per_s: int


@contextmanager
def reads_capped(cap: ReadCap, placement: Placement, ledger: Ledger) -> Iterator[Placement]:
    """Yield a placement that also caps reads; undone at the end. UserError where this kernel cannot."""
    root = blkio_root(read_mounts())
    queue = queue_directory(cap.volume)
    if root is None or queue is None:
        raise UserError(
            "read_limit needs the blkio controller of cgroup version 1 and a volume on a disk",
            "take read_limit out of the study",
        )
    directory = root / cap.group
    disk = (queue.parent / "dev").read_text(encoding="ascii").strip()
    with ledger.undone(Act(KIND, {"path": str(directory)})):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "blkio.throttle.read_bps_device").write_text(f"{disk} {cap.bytes_per_s}", encoding="ascii")
        descriptor = os.open(directory / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        try:
            yield Placement((*placement.cgroup_fds, descriptor), placement.cpus)
        finally:
            os.close(descriptor)


def blkio_root(mounts: Iterable[Mount]) -> Path | None:
    """Return where version 1's blkio controller is mounted; None where it is not."""
    found = (one.path for one in mounts if one.kind == "cgroup" and "blkio" in one.super_options.split(","))
    return next(found, None)


def undo_io_group(args: Mapping[str, Json]) -> None:
    """Kill what runs in the group and remove it, and its parent where that is empty."""
    directory = Path(str(args["path"]))
    deadline = time.monotonic() + REMOVE_LIMIT_S
    while directory.exists():
        for pid in (directory / "cgroup.procs").read_text(encoding="ascii").split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        with suppress(OSError):  # still busy: once more
            directory.rmdir()
        if time.monotonic() > deadline:
            raise UndoFailed(f"{directory} still has processes")
        time.sleep(0.01)
    with suppress(OSError):  # others are in it, or it is the controller's root
        directory.parent.rmdir()
