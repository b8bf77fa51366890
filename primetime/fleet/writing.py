"""This machine's disk, full or closed: the failure of one board, said in a sentence."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from primetime.errors import UserError
from primetime.fleet.assignment import RUNS
from primetime.fleet.fleet_file import FleetDevice
from primetime.images.download import FULL
from primetime.store.trouble import PLACE, code

CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


@contextmanager
def writing_here(device: FleetDevice) -> Iterator[None]:
    """Make what this machine's file system refuses the failure of one board; all else is our bug and stays one."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*FULL, *CLOSED):
            raise
        raise unwritten(device, error.strerror or str(error), error.errno in FULL) from error
    except sqlite3.OperationalError as error:
        if code(error) not in PLACE:
            raise
        raise unwritten(device, str(error), code(error) == sqlite3.SQLITE_FULL) from error


def unwritten(device: FleetDevice, reason: str, full: bool) -> UserError:
    """What to say of a campaign that cannot be kept here."""
    hint = "make room" if full else "make it writable"
    return UserError(
        f"{device.name}: nothing can be written here, below {RUNS}/ or for temporary files: {reason}",
        f"{hint}, then again (primetime fleet resume goes on with what was begun)",
    )
