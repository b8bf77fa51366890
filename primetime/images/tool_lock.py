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
    where = str(path or LOCK)
    try:
        entries = tomllib.loads(text)["tool"]
        return tuple(parse_entry(entry) for entry in entries)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{where} is no lock file of tools: {error}", f"each [[tool]] has {', '.join(KEYS)}") from None


def read(path: Path) -> str:
    """Read a user's own lock file."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "name a lock file of tools") from None


def parse_entry(entry: Mapping[str, Any]) -> LockedTool:
    """Check one entry. ValueError, KeyError or TypeError for what is wrong."""
    tool = LockedTool(**{key: entry[key] for key in KEYS}, programs=dict(entry["programs"]))
    if tool.form not in FORMS:
        raise ValueError(f"{tool.name}: form is one of {', '.join(FORMS)}")
    if urlsplit(tool.url).scheme not in SCHEMES:
        raise ValueError(f"{tool.name}: the url must begin with https:// or http://")
    if tool.sha256 and (len(tool.sha256) != 64 or set(tool.sha256) - set("0123456789abcdef")):
        raise ValueError(f"{tool.name}: sha256 has 64 hexadecimal digits")
    return tool


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
