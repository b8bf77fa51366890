"""Which file belongs where: a pattern such as "fio-{environment}-rand-{rw}-{bs}*.json" over file names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import UserError
from primetime.store.database import is_there, require_text

EXAMPLE = "'fio-{environment}*.json'"
ENVIRONMENT, RUN = "environment", "run"
FIELD = re.compile(r"\{([a-z_]+)\}|(\*)")
LABEL = r"[A-Za-z0-9][A-Za-z0-9._-]*?"
VALUE = r"[A-Za-z0-9.]+"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file belongs. `point`: the file's name without environment and run; `run`: "" when it is not told."""

    path: Path
    environment: str
    point: str
    run: str


def place_files(paths: Iterable[Path], pattern: str) -> tuple[list[Place], list[Path]]:
    """Return where files belong, by environment, point and run, and the files that the pattern does not fit.

    A directory stands for the files in it. UserError for a pattern without {environment}, for two files of one cell,
    and where no file fits.
    """
    compiled = compile_pattern(pattern)
    placed: list[Place] = []
    others: list[Path] = []
    for path in every_file(paths):
        found = compiled.fullmatch(path.name)
        if found is None:
            others.append(path)
            continue
        require_text(path)
        fields = {name: value for name, value in found.groupdict().items() if not name.startswith("any")}
        placed.append(Place(path, fields[ENVIRONMENT], point_name(path, fields), fields.get(RUN, "")))
    if not placed:
        raise UserError(
            f"no file fits --map {pattern!r}", "fields stand in braces, * is anything: 'fio-{environment}*.json'"
        )
    cells: dict[tuple[str, str, str], Path] = {}
    for place in placed:
        cell = (place.environment, place.point, place.run)
        if cell in cells:
            words = f"{cells[cell].name} and {place.path.name} are the same cell"
            raise UserError(words, "name what tells runs apart with {run} in --map")
        cells[cell] = place.path
    return sorted(placed, key=lambda place: (place.environment, place.point, place.run)), others


def every_file(paths: Iterable[Path]) -> list[Path]:
    """Return the files, those of directories in the order of their names. UserError for a path that is not there."""
    found: list[Path] = []
    for path in paths:
        if not is_there(path):
            raise UserError(f"there is no file {path}", "give the raw outputs of the tool")
        found += sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    return found


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the pattern as a regular expression with a group per field. UserError for one that cannot be."""
    require_text(Path(pattern))
    parts, at, seen, wild = [], 0, set(), 0
    for field in FIELD.finditer(pattern):
        parts.append(re.escape(pattern[at : field.start()]))
        at = field.end()
        name = field[1]
        if name is None:
            parts.append(f"(?P<any{wild}>.*)")
            wild += 1
        elif name in seen:
            parts.append(f"(?P={name})")
        else:
            seen.add(name)
            parts.append(f"(?P<{name}>{LABEL if name == ENVIRONMENT else VALUE})")
    if ENVIRONMENT not in seen:
        raise UserError(
            f"--map {pattern!r} does not say where the environment stands", "--map 'fio-{environment}*.json'"
        )
    return re.compile("".join((*parts, re.escape(pattern[at:]))))


def point_name(path: Path, fields: Mapping[str, str]) -> str:
    """Return the file's name without its suffix, its environment and its run: what was run."""
    left = path.stem
    for field in (ENVIRONMENT, RUN):
        if field in fields:
            left = re.sub(rf"[-_.]?{re.escape(fields[field])}(?=[-_.]|$)", "", left, count=1)
    return left.strip("-_.") or "all"
