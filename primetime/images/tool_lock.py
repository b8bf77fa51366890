"""The lock file of third-party tools: what there is, where it is fetched, and what it must hash to."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from primetime.errors import UserError
from primetime.images.userland import package_data

LOCK = "tools.toml"
FORMS = ("tgz", "tar.zst", "program")
KEYS = ("name", "version", "architecture", "url", "size", "sha256", "form")
NAMING = ("name", "version", "architecture")  # the cache's entry is called by them
SCHEMES = ("https", "http")


@dataclass(frozen=True, slots=True)
class LockedTool:
    """One archive. `architecture`: as `uname -m` says it; `sha256` "": none is published; `size` 0: not known."""

    name: str
    version: str
    architecture: str
    url: str
    size: int
    sha256: str
    form: str
    programs: Mapping[str, str]

    @property
    def archive(self) -> str:
        """The archive's file name, by which --from finds it."""
        return PurePosixPath(urlsplit(self.url).path).name


def locked_tools(path: Path | None = None) -> tuple[LockedTool, ...]:
    """Return every entry of the package's lock file, or of a user's own. UserError for what is wrong in it."""
    text = package_data(LOCK).decode("utf-8") if path is None else read(path)
    try:
        found = tomllib.loads(text).get("tool")
        if not isinstance(found, list):
            raise ValueError("it has no [[tool]]")
        return tuple(parse_entry(entry) for entry in found)
    except (ValueError, RecursionError) as error:  # besides its own error tomllib lets those of int() and of depth out
        words = f"{path or LOCK} is no lock file of tools: {error}"
        raise UserError(words, f"each [[tool]] has {', '.join(KEYS)}, programs") from None


def read(path: Path) -> str:
    """Read a user's own lock file."""
    hint = "name a lock file of tools"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", hint) from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8", hint) from None


def parse_entry(entry: object) -> LockedTool:
    """Check one entry. ValueError for what is wrong."""
    if not isinstance(entry, dict):
        raise ValueError("tool must be a list of tables")
    for key in KEYS:
        check_key(entry, key)
    tool = LockedTool(**{key: entry[key] for key in KEYS}, programs=programs_of(entry))
    if tool.form not in FORMS:
        raise ValueError(f"{tool.name}: form is one of {', '.join(FORMS)}")
    if tool.form == "program" and len(tool.programs) != 1:
        raise ValueError(f"{tool.name}: form is program, so it has exactly one program")
    if urlsplit(tool.url).scheme not in SCHEMES:
        raise ValueError(f"{tool.name}: the url must begin with https:// or http://")
    if tool.sha256 and (len(tool.sha256) != 64 or set(tool.sha256) - set("0123456789abcdef")):
        raise ValueError(f"{tool.name}: sha256 has 64 hexadecimal digits")
    return tool


def check_key(entry: Mapping[str, object], key: str) -> None:
    """ValueError when a key is missing, of another type, or cannot be part of a directory's name where it will be."""
    name = entry.get("name", "an entry without a name")
    if key not in entry:
        raise ValueError(f"{name} has no {key}")
    value = entry[key]
    if key == "size":
        if type(value) is not int or value < 0:
            raise ValueError(f"{name}: size must be a number of bytes, not {value!r}")
    elif not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{name}: {key} must be a word in quotes, not {value!r}")
    elif key in NAMING and (not value or "/" in value):
        raise ValueError(f"{name}: {key} cannot be {value!r}")


def programs_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return name → path in the archive. ValueError for anything else, and for a path that leads out of it."""
    programs = entry.get("programs")
    if not isinstance(programs, dict) or not programs:
        raise ValueError(f"{entry['name']}: programs must be a table: name = path in the archive")
    for path in programs.values():
        inside = PurePosixPath(path) if isinstance(path, str) and path.isprintable() else PurePosixPath()
        if not inside.name or inside.is_absolute() or ".." in inside.parts:
            raise ValueError(f"{entry['name']}: {path!r} is no path in the archive")
    return programs


def for_machine(tools: Iterable[LockedTool], machine: str | None = None) -> tuple[LockedTool, ...]:
    """Return the entries for an architecture, by default this machine's."""
    wanted = machine or platform.machine()
    return tuple(tool for tool in tools if tool.architecture == wanted)


def chosen(tools: Sequence[LockedTool], names: Sequence[str]) -> tuple[LockedTool, ...]:
    """Return the entries with these names, all when there are none. UserError for an unknown one."""
    known = {tool.name for tool in tools}
    for name in names:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise UserError(f"there is no tool {name!r} for this architecture", f"known tools: {listed}")
    return tuple(tool for tool in tools if not names or tool.name in names)
