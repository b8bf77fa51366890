"""The seam of every power meter: what its channels mean, and reading them with the time they were taken.

A member is one short file whose docstring is its study-file example. It runs in a thread of its own
(recorder.py), so it may wait for a network or a serial line. OSError and ValueError mean "no reading this
time": the recorder notes them, opens the meter again and goes on.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from types import ModuleType
from typing import ClassVar

from primetime.errors import UserError
from primetime.model import Params, Scalar
from primetime.model.toml_table import wanted

WATTS, JOULES = "W", "J"
TOTAL = "total"


class Place(StrEnum):
    """Where a meter sits, which decides what its watts contain."""

    WALL = "wall"  # before the power supply: its loss is included
    SUPPLY = "supply"  # between power supply and board
    BOARD = "board"  # on the board: what its rails do not feed is missing


@dataclass(frozen=True, slots=True)
class PowerChannel:
    """What one column of a meter is. `unit`: W, or J for a counter that only grows.

    `resolution`: its smallest step, in `unit`; `hz`: new values a second at best; `accuracy`: half-width of
    the maker's bound as a part of the reading, 0 where none is known; `missing`: what it does not see.
    """

    name: str
    unit: str
    place: Place
    resolution: float
    hz: float
    accuracy: float
    missing: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Values by channel at `t`: seconds of host CLOCK_MONOTONIC, or of the meter's own clock brought near to it."""

    t: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of [meter.NAME]. The default's type is the value's type; `required`: "" and 0 will not do."""

    name: str
    default: Scalar
    help: str
    required: bool = False


class Meter(ABC):
    """One meter. `channels()[0]` is what is billed; the others are kept and never summed."""

    kind: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()

    def __init__(self, name: str, given: Params) -> None:
        self.name = name
        self.given = checked(type(self), name, given)

    def unavailable(self) -> str:
        """Say why it cannot be read on this device; "" when it can, or when only trying will tell."""
        return ""

    @abstractmethod
    def channels(self) -> tuple[PowerChannel, ...]:
        """Return its channels, the billed one first."""

    def open(self) -> None:
        """Connect. OSError when nothing answers; UserError for a library that is not installed."""

    @abstractmethod
    def read(self) -> Sequence[Reading]:
        """Return what is new since the last call; OSError, ValueError for silence and garbage."""

    def close(self) -> None:
        """Disconnect; harmless when it is not open."""

    def word(self, name: str) -> str:
        """A setting as text."""
        return str(self.given[name])

    def number(self, name: str) -> float:
        """A setting as a number."""
        return float(self.given[name])


def now(values: Mapping[str, float]) -> tuple[Reading, ...]:
    """Return one reading that was taken just now."""
    return (Reading(time.monotonic(), values),)


def unix_to_monotonic() -> float:
    """Return what must be added to UNIX time to get CLOCK_MONOTONIC, as this host sees it now."""
    return time.monotonic() - time.time()


def checked(member: type[Meter], name: str, given: Params) -> dict[str, Scalar]:
    """Return all settings with defaults filled in; UserError for an unknown, wrong or missing one."""
    known = {setting.name: setting for setting in member.settings}
    where = f"meter.{name} ({member.kind})"
    for key, value in given.items():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            raise UserError(
                f"{where}: unknown setting {key!r}",
                f"did you mean {near[0]}?" if near else f"known settings: {', '.join(known) or 'none'}",
            )
        default = known[key].default
        types = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, types) or isinstance(value, bool) != isinstance(default, bool):
            raise UserError(f"{where}: {key} must be {wanted(default)}, not {value!r}", known[key].help)
    for key, setting in known.items():
        if setting.required and not given.get(key):
            raise UserError(f"{where}: {key} is missing", setting.help)
    return {key: given.get(key, setting.default) for key, setting in known.items()}


def needs(module: str, extra: str) -> ModuleType:
    """Import a library that only some meters need. UserError with the line that installs it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(f"this meter needs {error.name}", f"pip install 'primetime[{extra}]'") from error


def finite_watts(value: object, what: str) -> float:
    """Return a plausible power in W; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{what} is {value!r}, not a power")
    watts = float(value)
    if not -1e5 < watts < 1e5:
        raise ValueError(f"{what} is {value!r}, not a plausible power")
    return watts
