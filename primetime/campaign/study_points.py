"""[[points]] of a study file: a list as a value makes one point per value, with a readable name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import product
from math import prod
from typing import Any

from primetime.campaign.study_files import check_agreement, with_files
from primetime.campaign.study_table import MOST_BYTES, MOST_SECONDS, Table
from primetime.errors import UserError
from primetime.model import Point, Scalar
from primetime.model.toml_table import NAME
from primetime.workloads import workload
from primetime.workloads.base import Kind, Workload

OWN_KEYS = ("workload", "name")
LENGTHS = ("size", "runtime", "ramp", "duration", "timeout")  # not part of a name unless they are what differs
MOST_POINTS = 1000


def read_points(top: Table) -> tuple[Point, ...]:
    """Return all points, crossed and named; UserError for none, for two of one name, for equal ones."""
    entries = top.get("points", [])
    if not isinstance(entries, list) or not entries:
        words = "must be a list of tables" if entries else "a study needs at least one point"
        raise top.mistake("points", words, 'add [[points]], in two brackets, with workload = "fio"')
    found: list[Point] = []
    for number, entry in enumerate(entries, start=1):
        found.extend(expand(Table(top.file, f"points[{number}]", entry)))
    by_name: dict[str, Point] = {}
    by_content: dict[str, Point] = {}
    for point in found:
        content = f"{point.workload} {sorted(point.params.items())}"
        if point.name in by_name:
            raise top.mistake("points", f"two points are called {point.name!r}", "give one of them another name")
        if content in by_content:
            same = by_content[content].name
            raise top.mistake("points", f"{point.name} and {same} are the same point", "take one of them out")
        by_name[point.name] = by_content[content] = point
    check_agreement(top, found)
    return tuple(found)


def expand(entry: Table) -> list[Point]:
    """The points of one [[points]] table."""
    name = entry.word("workload", "")
    try:
        member = workload(name)
    except UserError as error:
        raise entry.mistake("workload", error.message, error.hint) from None
    given = with_files(entry, member, {key: one for key, one in entry.content.items() if key not in OWN_KEYS})
    varied = varied_keys(entry, given, member.nested())
    own_name = entry.word("name", "")
    count = prod(len(given[key]) for key in varied)
    if own_name and count > 1:
        raise entry.mistake("name", f"one name cannot serve {count} points", "leave the name out")
    points = []
    for values in product(*(given[key] for key in varied)):
        chosen = {**given, **dict(zip(varied, values, strict=True))}
        params = checked(entry, member, chosen)
        said = {key: value for key, value in chosen.items() if key not in member.nested()}
        point_name = own_name or readable_name(name, said, params, varied)
        if not NAME.fullmatch(point_name):
            words = f"{point_name!r} is no name (letters, digits, '.', '_', '-'; at most 40)"
            hint = "give a name" if count == 1 else "give this point a [[points]] of its own, with a name"
            raise entry.mistake("name", words, hint)
        points.append(Point(point_name, name, params))
    return points


def varied_keys(entry: Table, given: Mapping[str, Any], nested: Set[str]) -> list[str]:
    """The keys whose value is a list of values; UserError for an empty one, and for more points than make sense."""
    varied = [key for key, value in given.items() if isinstance(value, list) and key not in nested]
    for key in varied:
        if not given[key]:
            raise entry.mistake(key, "is an empty list", "give at least one value")
    count = prod(len(given[key]) for key in varied)
    if count > MOST_POINTS:
        raise entry.mistake("", f"its lists make {count} points, {MOST_POINTS} at most make sense", "shorten the lists")
    return varied


def checked(entry: Table, member: Workload, chosen: Mapping[str, Any]) -> dict[str, Scalar]:
    """The complete parameters of one point."""
    for key, value in chosen.items():
        entry.bound(key, value)
    params = member.check(f"{entry.file}: {entry.path}", chosen)
    for parameter in member.parameters:
        most = MOST_SECONDS if parameter.kind is Kind.DURATION else MOST_BYTES
        value = params[parameter.name]
        if not isinstance(value, str) and value > most:
            raise entry.mistake(parameter.name, f"cannot be as large as {chosen[parameter.name]!r}", parameter.help)
    return params


def readable_name(name: str, given: Mapping[str, Any], params: Mapping[str, Scalar], varied: Sequence[str]) -> str:
    """fio-randwrite-4KiB-direct-fsync1: what was said in the file, as it was said there."""
    parts = [name]
    for key, value in given.items():
        without_effect = isinstance(value, int) and value and not params.get(key, value)  # fsync of a pure read
        if (key in LENGTHS and key not in varied) or params.get(key) is False or without_effect:
            continue
        if isinstance(value, bool):
            parts.append(key)
        elif isinstance(value, str) and value.strip().endswith("%"):
            parts.append(f"{key}{value.strip(' %')}pct")  # a name holds no %
        elif isinstance(value, str):
            parts.append(value.replace(" ", ""))
        else:
            parts.append(f"{key}{value}")
    return "-".join(parts)
