"""What a campaign file, or the place it lies in, can do to us: told as the user's to mend, never as a traceback.

What SQLite says of our own mistakes (its plain SQLITE_ERROR, a broken constraint) is let through: it is a bug.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from primetime.errors import UserError

PRIMARY = 0xFF  # SQLite's extended codes keep the primary one in their lowest byte
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
BAD_CONTENT = ("Could not decode to UTF-8", "malformed JSON")  # said without a code of their own
PLACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
OfPlace = Callable[[Path, sqlite3.DatabaseError], UserError | None]
NO_VALUE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, zlib.error)


def reading(path: Path) -> AbstractContextManager[None]:
    """UserError where the file's pages, or the disk under them, do not give a query what was written."""
    return telling(path, unreadable)


def writing(path: Path) -> AbstractContextManager[None]:
    """UserError where a transaction finds no room, no permission, or a damaged file."""
    return telling(path, unwritable)


@contextmanager
def telling(path: Path, of_place: OfPlace) -> Iterator[None]:
    """UserError for what the file or its place is to blame for; `of_place` says the latter, None where it is not."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise damaged(path, str(error)) from error
        if code(error) == sqlite3.SQLITE_BUSY:
            raise busy(path) from error
        told = of_place(path, error) if code(error) in PLACE else None
        if told is None:
            raise
        raise told from error


def unreadable(path: Path, error: sqlite3.DatabaseError) -> UserError:
    """What is told of a file that its place does not give."""
    return UserError(f"{path} cannot be read: {error}", f"ls -l {path}; dmesg, for its disk")


def unwritable(path: Path, error: sqlite3.DatabaseError) -> UserError | None:
    """What is told of a file that its place does not take.

    None for a plain SQLITE_READONLY: somebody writes to a file that was opened to be read, a bug.
    """
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY:
        return None
    remedy = "make room" if code(error) == sqlite3.SQLITE_FULL else "make its place writable"
    return UserError(f"{path} cannot be written: {error}", f"{remedy}, then: primetime resume {path}")


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """UserError where a row or its JSON does not make the value that primetime writes there.

    Only for the few lines that turn rows into values: anywhere else these exceptions are bugs of ours.
    """
    try:
        yield
    except NO_VALUE as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def damaged(path: Path, how: str) -> UserError:
    """What is told of a file that holds what primetime did not write."""
    return UserError(
        f"{path} is damaged ({how})", f"take another copy of it, or save what is left: sqlite3 {path} .recover"
    )


def busy(path: Path) -> UserError:
    """What is told of a file that somebody else keeps locked."""
    return UserError(f"{path} is in use by another program", "try again when it has ended")


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is to blame, by SQLite's code or by its words."""
    return code(error) in DAMAGED or any(words in str(error) for words in BAD_CONTENT)


def code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary code; 0 where Python raised by itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & PRIMARY
