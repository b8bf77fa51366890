"""The device's own limit and its preconditioning (contract §6, §7), without any environment or tool.

O_DIRECT from an anonymous mapping, which is page-aligned as the kernel wants it; one request at a time of
1 MiB, so a device that needs many requests at once has a higher limit than is said here.
"""

from __future__ import annotations

import mmap
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.model import Fact

REQUEST = 1024 * 1024
SYNCED = 4096
SCRATCH_BYTES = 64 * 1024 * 1024
SECONDS = 1.0
OVERWRITE = 128 * 1024
CHUNK = 4 * 1024 * 1024


def limit_facts(directory: Path) -> tuple[Fact, ...]:
    """Measure sequential write, sequential read (B/s) and small synced writes (1/s) in a scratch file."""
    scratch = directory / "limits.scratch"
    try:
        write = rate_of(scratch, os.O_WRONLY | os.O_CREAT, write_all)
        read = rate_of(scratch, os.O_RDONLY, read_all)
        syncs = synced_rate(scratch)
    except OSError as error:
        return (Fact("device.limit.unknown", f"not measured: {error.strerror}"),)
    finally:
        scratch.unlink(missing_ok=True)
    return (
        Fact("device.limit.write_bytes_per_s", round(write)),
        Fact("device.limit.read_bytes_per_s", round(read)),
        Fact("device.limit.sync_per_s", round(syncs, 1)),
        Fact("device.limit.request_bytes", REQUEST),
    )


def write_all(descriptor: int, buffer: mmap.mmap) -> int:
    """Write the scratch file once; return the bytes."""
    return sum(os.pwritev(descriptor, [buffer], offset) for offset in range(0, SCRATCH_BYTES, REQUEST))


def read_all(descriptor: int, buffer: mmap.mmap) -> int:
    """Read the scratch file once; return the bytes."""
    return sum(os.preadv(descriptor, [buffer], offset) for offset in range(0, SCRATCH_BYTES, REQUEST))


def rate_of(path: Path, flags: int, once: Callable[[int, mmap.mmap], int]) -> float:
    """Repeat `once` for a second past the page cache; return bytes per second."""
    with opened(path, flags | os.O_DIRECT) as descriptor, filled(REQUEST) as buffer:
        t0 = time.monotonic()
        moved = 0
        while time.monotonic() - t0 < SECONDS:
            moved += once(descriptor, buffer)
        os.fsync(descriptor)
        return moved / (time.monotonic() - t0)


def synced_rate(path: Path) -> float:
    """Return how many 4 KiB writes, each followed by fdatasync, the device takes per second."""
    with opened(path, os.O_WRONLY) as descriptor, filled(SYNCED) as buffer:
        t0 = time.monotonic()
        count = 0
        while time.monotonic() - t0 < SECONDS:
            os.pwritev(descriptor, [buffer], count % 1024 * SYNCED)
            os.fdatasync(descriptor)
            count += 1
        return count / (time.monotonic() - t0)


def write_fully(path: Path, size_bytes: int) -> None:
    """Fill a file, or the beginning of a device, with incompressible data, so that every block of it was written.

    OSError for a device that somebody else has claimed.
    """
    block = os.urandom(CHUNK)
    flags = exclusive(path) or os.O_CREAT | os.O_TRUNC
    with opened(path, os.O_WRONLY | flags) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as out:
        for offset in range(0, size_bytes, CHUNK):
            out.write(block[: size_bytes - offset])
        out.flush()
        os.fsync(descriptor)


def overwrite_randomly(path: Path, size_bytes: int) -> int:
    """Overwrite a file or device once over, in 128 KiB pieces in random order; return the bytes written.

    OSError for a device that somebody else has claimed.
    """
    offsets = list(range(0, size_bytes - OVERWRITE + 1, OVERWRITE))
    random.shuffle(offsets)
    data = os.urandom(OVERWRITE)
    with opened(path, os.O_WRONLY | exclusive(path)) as descriptor:
        written = sum(os.pwrite(descriptor, data, offset) for offset in offsets)
        os.fsync(descriptor)
    return written


def exclusive(path: Path) -> int:
    """The flag by which the kernel refuses a block device that is mounted or otherwise claimed; 0 for a file."""
    return os.O_EXCL if path.is_block_device() else 0


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Open a file for the length of a block."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def filled(size: int) -> Iterator[mmap.mmap]:
    """An aligned buffer of incompressible data."""
    with mmap.mmap(-1, size) as buffer:
        buffer.write(os.urandom(size))
        yield buffer
