"""fleet.toml: a board's entry is added or brought up to date; everything else stays byte for byte."""

from __future__ import annotations

import fcntl
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from primetime.errors import UserError
from primetime.lab.board import DEFAULT_ROOT, LOOPBACK, VOLUME, Board

Value = str | int | list[str]


def entry_of(board: Board) -> dict[str, Value]:
    """Return what fleet.toml says of a board."""
    elsewhere = [] if board.root == Path(DEFAULT_ROOT) else ["--lab", str(board.root)]
    return {
        "address": LOOPBACK,
        "port": board.about().port,
        "user": "root",
        "identity": str(board.identity),
        "known_hosts": str(board.known_hosts),
        "volume": VOLUME,
        "power_cut": ["primetime", "lab", "kill", board.name, *elsewhere],
    }


def add_to_fleet(path: Path, name: str, entry: Mapping[str, Value]) -> bool:
    """Write a device's entry into a fleet file; whether the file had to be changed.

    UserError when the file is no TOML, has the device in a form that is not ours to edit, or cannot be written.
    It is written in place: what takes its name would need the directory's permission, and lose owner, link or mount.
    """
    try:
        with alone(path.parent):
            before, after = edited(path, name, entry)
            if after != before:
                path.write_text(after, encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}", "name another file: --fleet FILE") from None
    return after != before


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Keep other boards that come up at the same time from writing a file of this directory between our two steps."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def require_editable(path: Path, name: str) -> None:
    """UserError, as early as can be, when `add_to_fleet` would fail."""
    edited(path, name, {"user": "root"})
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UserError(f"{path} cannot be written", "name another file: --fleet FILE")


def edited(path: Path, name: str, entry: Mapping[str, Value]) -> tuple[str, str]:
    """Return the file's text before and after, written nowhere yet."""
    before = read(path)
    try:
        old = devices(before).get(name, {})
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}", "mend it, or name another file: --fleet FILE") from None
    after = with_entry(before, name, entry)
    try:
        fits = devices(after).get(name) == {**old, **entry}
    except tomllib.TOMLDecodeError:
        fits = False
    if not fits:
        raise UserError(
            f"{path} has the device {name} in a form that cannot be brought up to date",
            "remove it there, then the same again",
        )
    return before, after


def read(path: Path) -> str:
    """Return the file as it is, "" when there is none. UserError for a device or a pipe, which is not even opened."""
    hint = "name another file: --fleet FILE"
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is no regular file", hint)
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", hint) from None


def devices(text: str) -> dict[str, dict[str, object]]:
    """Return the devices of a fleet file by name."""
    found = tomllib.loads(text).get("devices", {})
    tables = found if isinstance(found, dict) else {}
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def with_entry(text: str, name: str, entry: Mapping[str, Value]) -> str:
    """Return the text with the device's table added at the end, or with the differing values in it replaced."""
    lines = text.splitlines(keepends=True)
    start = next((index for index, line in enumerate(lines) if is_header(line, name)), None)
    if start is None:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[devices.{name}]\n" + "".join(f"{key} = {shown(entry[key])}\n" for key in entry)
    end = next((index for index in range(start + 1, len(lines)) if lines[index].lstrip().startswith("[")), len(lines))
    table = lines[start + 1 : end]
    missing = [key for key in entry if not any(sets(line, key) for line in table)]
    for key in entry:
        table = [replaced(line, key, entry[key]) if sets(line, key) else line for line in table]
    added = [f"{key} = {shown(entry[key])}\n" for key in missing]
    return "".join([*lines[: start + 1], *added, *table, *lines[end:]])


def is_header(line: str, name: str) -> bool:
    """Whether a line opens the device's table."""
    return bool(re.match(rf'\s*\[\s*devices\s*\.\s*("{name}"|{name})\s*\]', line))


def sets(line: str, key: str) -> bool:
    """Whether a line gives `key` a value."""
    return bool(re.match(rf"\s*{key}\s*=", line))


def replaced(line: str, key: str, value: Value) -> str:
    """The line with another value; the same line when the value is the same."""
    try:
        if tomllib.loads(line).get(key) == value:
            return line
    except tomllib.TOMLDecodeError:
        return line  # a value over several lines: found out by whoever compares the result
    return f"{key} = {shown(value)}\n"


def shown(value: Value) -> str:
    """A value in TOML; JSON's strings and lists of strings are TOML's."""
    return json.dumps(value, ensure_ascii=False)
