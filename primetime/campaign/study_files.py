"""Files that a study brings along: read when the study is, so that a campaign file holds them and can be resumed.

In a study a table { "/path/inside" = "host-file" }, host paths from the study file's own directory; in the
parameters of a point a list of tables with path, mode, sha256, and text (or base64 where it is not text).
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from primetime.campaign.estimate import PLANNED_SITE
from primetime.campaign.study_table import Table
from primetime.model import Point
from primetime.workloads import workload
from primetime.workloads.base import Kind, Workload

MOST_BYTES = 2**20  # of all files of one point
PROGRAM, PLAIN = 0o755, 0o644
HINT = 'e.g. files = { "/data/bench.sh" = "bench.sh" }'


def with_files(entry: Table, member: Workload, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a point with its files read. UserError for what cannot be read, or is too large."""
    found = dict(given)
    total = 0
    for parameter in member.parameters:
        if parameter.kind is Kind.FILES and parameter.name in found:
            table = found[parameter.name]
            if not isinstance(table, Mapping):
                raise entry.mistake(parameter.name, f"must be {parameter.kind}, not {table!r}", parameter.help)
            files = [(path, content_of(entry, parameter.name, host)) for path, host in table.items()]
            total += sum(len(content) for _, (content, _) in files)
            found[parameter.name] = [described(path, content, mode) for path, (content, mode) in files]
    if total > MOST_BYTES:
        words = f"its files hold {total} bytes, {MOST_BYTES} at most travel in a campaign file"
        raise entry.mistake("", words, "bring a smaller file, or put the data into images.userland")
    return found


def content_of(entry: Table, key: str, host: object) -> tuple[bytes, int]:
    """Read one file of the host; return its content and the mode that it gets inside."""
    if not isinstance(host, str) or not host or "\0" in host:
        raise entry.mistake(key, f"{host!r} is not the name of a file", HINT)
    path = Path(entry.file).parent / host
    if not path.is_file():
        raise entry.mistake(key, f"there is no file {str(path)!r}", "paths are relative to the study file's directory")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise entry.mistake(key, f"{str(path)!r} cannot be read: {error.strerror}", "check its permissions") from None
    return content, PROGRAM if os.access(path, os.X_OK) else PLAIN


def described(path: str, content: bytes, mode: int) -> dict[str, object]:
    """What is kept of a file: its text can be read with every SQLite tool."""
    kept: dict[str, object] = {"path": path, "mode": mode, "sha256": sha256(content).hexdigest()}
    try:
        return {**kept, "text": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {**kept, "base64": b64encode(content).decode("ascii")}


def check_agreement(top: Table, points: Sequence[Point]) -> None:
    """UserError when two points want different files at one place: they may share a boot."""
    seen: dict[tuple[str, str], tuple[object, str]] = {}
    for point in points:
        member = workload(point.workload)
        kinds = {parameter.kind for parameter in member.parameters}
        files = member.recipe(point, PLANNED_SITE).files if Kind.FILES in kinds else ()
        for file in files:
            place = (str(file.where), file.path)
            first, name = seen.setdefault(place, (file, point.name))
            if first != file:
                words = f"{name} and {point.name} put different files at {file.path}"
                raise top.mistake("points", words, "give one of them another path")
