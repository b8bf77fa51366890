"""The SQLite side of a campaign file: making one, recognising one, transactions, backup."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from primetime.errors import UserError
from primetime.store.schema import APPLICATION_ID, FORMAT_VERSION, TABLES, VIEW_NAMES, VIEWS
from primetime.store.trouble import busy, code, damaged, reading, writing

BUSY_LIMIT_S = 30.0
SqlValue = str | int | float | bytes | None


class Found(NamedTuple):
    """What a query found: the names of its columns, and its rows one by one."""

    columns: list[str]
    rows: Iterator[sqlite3.Row]


class Database:
    """An open campaign file; a context manager. Every write is a transaction that is on disk when it returns."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was written is safe already."""
        self._connection.close()

    def rows(self, sql: str, *values: SqlValue) -> list[sqlite3.Row]:
        """Return the rows of a query. UserError where the file is damaged."""
        with reading(self.path):
            return self._connection.execute(sql, values).fetchall()

    def found(self, sql: str) -> Found:
        """Return a query's rows one by one, for what does not fit in memory. UserError where the file is damaged."""
        with reading(self.path):
            cursor = self._connection.execute(sql)
        return Found([column[0] for column in cursor.description], self._each(cursor))

    def backup(self, path: Path) -> None:
        """Write a consistent copy, also while another process writes. UserError when `path` exists."""
        if is_there(path):
            raise UserError(f"{path} exists already", "give another name or remove it")
        with closing(sqlite3.connect(path)) as target:
            self._connection.backup(target)
        give_to_user(path)

    def _each(self, cursor: sqlite3.Cursor) -> Iterator[sqlite3.Row]:
        with reading(self.path):
            for row in cursor:  # noqa: UP028 - "yield from" would close the cursor, whose file may be closed by then
                yield row

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with writing(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        """Undo an open transaction. A full disk has undone it already, and a failing one must not hide why."""
        if self._connection.in_transaction:
            with suppress(sqlite3.OperationalError):  # the journal stays, and whoever opens the file next applies it
                self._connection.execute("ROLLBACK")


def refuse_existing(path: Path) -> None:
    """UserError when something of this name is there: no campaign is ever overwritten."""
    if is_there(path):
        hint = f"give another name with -o, or go on with it: primetime resume {path}"
        raise UserError(f"{path} exists already", hint)


def create_database(path: Path, record: Sequence[object]) -> sqlite3.Connection:
    """Make a new campaign file, owned by the user who called sudo. UserError when `path` exists.

    `record`: the columns of campaign_record after its id. It comes with the tables in one transaction, so that whatever
    stops the host here leaves an empty file or one that can be gone on with.
    """
    refuse_existing(path)
    require_text(path)
    try:
        make_directory(path.parent)
        path.touch(exist_ok=False)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot write {path}: {reason.lower()}", "give a writable place with -o") from error
    give_to_user(path)
    try:
        return _laid_out(path, record)
    except sqlite3.DatabaseError as error:  # no space, or a file system without locks
        path.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error}", "give another place with -o") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def open_database(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a campaign file. UserError when it is missing, foreign, newer, damaged or not readable."""
    _require_file(path)
    # A killed run leaves a journal that must be rolled back before anybody can read; that takes a writable file.
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    if write and not writable:
        raise UserError(f"no permission to write {path}", "sudo, or copy it to a place of yours")
    connection: sqlite3.Connection | None = None
    try:
        connection = _connect(path, "rw" if writable else "ro")
        _recognise(path, connection)
        if not write:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.DatabaseError as error:
        if connection is not None:
            connection.close()
        raise _explain(path, error) from error
    except UserError:
        if connection is not None:
            connection.close()
        raise
    return connection


def is_there(path: Path) -> bool:
    """Whether something of this name is there. UserError for a name that no file can have."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{path} cannot be looked at: {reason}", "give another name or place") from None
    return True


def require_text(path: Path) -> None:
    """UserError for a name that is no text: it is written into files and pages."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UserError(f"the name {str(path)!r} is not UTF-8", "give another name") from None


def give_to_user(path: Path) -> None:
    """Hand a file that root made to the user who called sudo."""
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() == 0 and user.isdecimal() and group.isdecimal():
        with suppress(PermissionError):  # file systems without owners (FAT) say no, and need none
            os.chown(path, int(user), int(group))


def make_directory(directory: Path) -> None:
    """Make a directory and what leads to it, owned by the user who called sudo."""
    if not directory.exists():
        make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        give_to_user(directory)


def _require_file(path: Path) -> None:
    if not is_there(path):
        raise UserError(f"there is no campaign file {path}", "ls runs/ shows the campaigns of this directory")
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise UserError(f"{path} is a directory, not a campaign file", f"ls {path}")
    if not stat.S_ISREG(mode):  # a device, a pipe: SQLite would wait for it, or find it empty
        raise UserError(f"{path} is not a regular file, so it is no campaign", "give the .sqlite file of a campaign")


def _laid_out(path: Path, record: Sequence[object]) -> sqlite3.Connection:
    """Put tables, views and the campaign's one record into an empty file."""
    connection = _connect(path, "rw")
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION};"
            f"{TABLES}{VIEWS}"
        )
        connection.execute(f"INSERT INTO campaign_record VALUES (1{', ?' * len(record)})", record)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY_LIMIT_S, isolation_level=None
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _recognise(path: Path, connection: sqlite3.Connection) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty: its campaign never began", f"rm {path}")
    if application != APPLICATION_ID:
        raise UserError(f"{path} is not a campaign file of primetime", "give the .sqlite file of a campaign")
    if version > FORMAT_VERSION:
        raise UserError(
            f"{path} was written by a newer primetime (format {version}, this one reads up to {FORMAT_VERSION})",
            "pip install --upgrade primetime",
        )
    known = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'")}
    if missing := [view for view in VIEW_NAMES if view not in known]:
        raise damaged(path, f"its view {missing[0]} is missing")
    if connection.execute("SELECT count(*) FROM campaign_record").fetchone()[0] == 0:
        raise UserError(f"{path} holds no campaign: it never began", f"rm {path}")


def _explain(path: Path, error: sqlite3.DatabaseError) -> UserError:
    if code(error) == sqlite3.SQLITE_READONLY:
        return UserError(
            f"{path} was interrupted while being written and must be mended first", f"sudo primetime report {path}"
        )
    if code(error) == sqlite3.SQLITE_BUSY:
        return busy(path)
    if code(error) == sqlite3.SQLITE_CANTOPEN:
        return UserError(f"{path} cannot be opened", f"check its permissions: ls -l {path}")
    return UserError(f"{path} is not a campaign file of primetime ({error})", "give the .sqlite file of a campaign")
