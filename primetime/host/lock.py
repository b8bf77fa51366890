"""One measurement at a time on a device."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.errors import UserError
from primetime.host.ledger import RUN_DIRECTORY


@contextmanager
def device_lock(purpose: str, directory: Path = RUN_DIRECTORY) -> Iterator[None]:
    """Hold the device. UserError when another primetime measures on it; the kernel frees it on any death."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        opened = (directory / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise unwritable(directory, error) from None
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another primetime"
            raise UserError(
                f"this device is busy: {holder}", "wait for it, or see its progress with: primetime watch CAMPAIGN"
            ) from None
        try:
            file.truncate(0)
            words = f"process {os.getpid()} is measuring ({purpose})"
            os.write(file.fileno(), words.encode())  # nothing is kept that closing would have to write
        except OSError as error:
            raise unwritable(directory, error) from None
        yield
        file.truncate(0)


def unwritable(directory: Path, error: OSError) -> UserError:
    """What to say of a lock that cannot be written."""
    may_not = isinstance(error, PermissionError)
    hint = "run as the user who began it, or with sudo" if may_not else f"make {directory} writable, or make room there"
    return UserError(f"{directory}/lock cannot be written: {error.strerror}", hint)


def measuring(directory: Path = RUN_DIRECTORY) -> str:
    """Who measures on this device, as the lock's holder wrote; "" for nobody. Takes no lock, so it disturbs nobody."""
    try:
        words = (directory / "lock").read_text(encoding="utf-8").split()
    except OSError:
        return ""
    return " ".join(words) if len(words) > 1 and Path("/proc", words[1]).exists() else ""


def require_root(verb: str) -> None:
    """UserError unless we are root: namespaces, cgroups and page caches need it."""
    if os.geteuid() != 0:
        raise UserError(f"primetime {verb} needs root", f"run: sudo primetime {verb} …")
