"""The seam of every workload: it checks parameters, builds steps and parses output; it runs nothing itself.

A member is one short file: a subclass with its `name`, its parameters, `recipe`, `parse` and `primary`.
Its docstring is its study-file example. The registry (`workloads/__init__.py`) imports it when asked for.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite
from typing import ClassVar

from primetime.errors import UserError
from primetime.model import Measurement, Point, Recipe, Scalar, Site, TrialData
from primetime.workloads.units import parse_duration, parse_share, parse_size

GRACE_S = 60.0  # beyond a tool's own run time: starting it inside an emulated guest takes seconds


class Kind(StrEnum):
    """How a parameter is written in a study file; sizes become bytes, durations seconds, what is nested JSON text."""

    INT = "a whole number"
    FLOAT = "a number"
    BOOL = "true or false"
    TEXT = "a word"
    SIZE = 'a size such as "4KiB"'
    DURATION = 'a duration such as "3s"'
    NESTED = "a list or a table"
    FILES = 'a table such as { "/data/inside" = "host-file" }'  # the runner reads them: a list of tables reaches us


UNITS = {Kind.SIZE: "units: B, KiB, MiB, GiB", Kind.DURATION: "units: ms, s, min, h"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of a point. `default` is in bytes or seconds already; `least`: the smallest value allowed.

    `share`: it may also be a part of what the baseline does at the point, such as "50%" (pacing.py).
    """

    name: str
    kind: Kind
    default: Scalar
    help: str
    choices: tuple[Scalar, ...] = ()
    least: float = 0.0
    share: bool = False

    def value(self, where: str, given: object) -> Scalar:
        """Return the checked value; UserError that names the point and the key."""
        if self.share and isinstance(given, str) and given.strip().endswith("%"):
            return self.part(where, given)
        found = convert(self.kind, given)
        if found is None:
            units = f"; {UNITS[self.kind]}" if self.kind in UNITS else ""
            raise UserError(f"{where}: {self.name} must be {self.kind}, not {given!r}", f"{self.help}{units}")
        if self.choices and found not in self.choices:
            allowed = ", ".join(str(choice) for choice in self.choices)
            raise UserError(f"{where}: {self.name} cannot be {given!r}", f"choose one of: {allowed}")
        if not isinstance(found, str | bool) and found < self.least:
            raise UserError(f"{where}: {self.name} must be at least {self.least:g}, not {given!r}", self.help)
        return found

    def part(self, where: str, given: str) -> str:
        """Return a part of the baseline's rate in its shortest form, "50%"."""
        share = parse_share(given)
        if share is None:
            words = f"{where}: {self.name} cannot be {given!r}: a part lies above 0% and at most at 100%"
            raise UserError(words, f'e.g. {self.name} = "50%", of what the baseline does at this point')
        return f"{100 * share:g}%"


def convert(kind: Kind, given: object) -> Scalar | None:
    """Return what a study file's value means; None when it is not of that kind."""
    if kind is Kind.BOOL:
        return given if isinstance(given, bool) else None
    if isinstance(given, bool):
        return None
    if kind is Kind.TEXT:
        return given if isinstance(given, str) else None
    if kind is Kind.SIZE:
        return parse_size(given)
    if kind is Kind.DURATION:
        return parse_duration(given)
    if kind in (Kind.NESTED, Kind.FILES):
        return as_json(given)
    if kind is Kind.INT:
        return given if isinstance(given, int) else None
    return float(given) if isinstance(given, int | float) and isfinite(given) else None  # TOML knows inf and nan


def as_json(given: object) -> str | None:
    """Return a list or a table as text; None for anything else, and for what JSON does not know (dates, nan)."""
    if not isinstance(given, list | dict):
        return None
    try:
        return json.dumps(given, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return None


class Workload(ABC):
    """One tool or question."""

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def nested(self) -> frozenset[str]:
        """Return the keys that take a list or a table: there a list does not make one point per value."""
        return frozenset(one.name for one in self.parameters if one.kind in (Kind.NESTED, Kind.FILES))

    def check(self, where: str, given: Mapping[str, object]) -> dict[str, Scalar]:
        """Return all parameters with defaults filled in; UserError for an unknown key or a wrong value."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for key in given:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = (
                    f"did you mean {near[0]}?" if near else f"known keys of {self.name}: {', '.join(known) or 'none'}"
                )
                raise UserError(f"{where}: unknown key {key!r}", hint)
        return {
            name: parameter.value(where, given[name]) if name in given else parameter.default
            for name, parameter in known.items()
        }

    def programs(self, point: Point) -> tuple[str, ...]:  # noqa: ARG002 - most need what every userland has
        """Return programs that the point needs and a userland may lack, by name or path; `site.absent` says which."""
        return ()

    def skip_reason(self, point: Point, site: Site) -> str:  # noqa: ARG002 - most can always run
        """Say why this point cannot be measured at this site; "" when it can."""
        return ""

    @abstractmethod
    def recipe(self, point: Point, site: Site) -> Recipe:
        """Build the steps."""

    @abstractmethod
    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:
        """Turn output into measurements; TrialFailed when it holds no valid result."""

    def complaint(self, stdout: bytes, stderr: bytes) -> str:
        """What a tool that failed said of it, on one line; "" when it said nothing."""
        lines = (stderr if stderr.strip() else stdout).decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if any(letter.isalpha() for letter in line)), "")

    @abstractmethod
    def primary(self, point: Point) -> str:
        """Return the name of the metric that verdicts are about."""
