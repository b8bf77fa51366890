"""One table of a user's TOML file: typed reading, and mistakes that name file, key and hint."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Self

from primetime.errors import UserError
from primetime.model.work import Scalar

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
MOST_CHARACTERS = 250


def header(path: str) -> str:
    """How the table's first line is written: that of one in a list has two brackets and no number."""
    name, bracket, _ = path.partition("[")
    return f"[[{name}]]" if bracket else f"[{name}]"


def wanted(default: Scalar) -> str:
    """What a value of the same type as `default` is called in a file."""
    if isinstance(default, bool):
        return "true or false"
    return {str: "a word in quotes", int: "a whole number", float: "a number"}[type(default)]


class TomlTable:
    """A TOML table that remembers which keys were asked for, so that the rest are mistakes."""

    def __init__(self, file: str, path: str, content: object) -> None:
        self.file = file
        self.path = path
        if not isinstance(content, Mapping):
            raise UserError(f"{file}: {path} must be a table, not {content!r}", f"write {header(path)}")
        self.content: Mapping[str, Any] = content
        self.asked: set[str] = set()

    def mistake(self, key: str, words: str, hint: str) -> UserError:
        """Build the error for a key of this table."""
        where = ".".join(part for part in (self.path, key) if part)
        return UserError(f"{self.file}: {where}: {words}", hint)

    def keys(self) -> tuple[str, ...]:
        """All keys, in the file's order."""
        return tuple(self.content)

    def get(self, key: str, default: object) -> object:
        """The raw value of a key."""
        self.asked.add(key)
        value = self.content.get(key, default)
        self.bound(key, value)
        return value

    def bound(self, key: str, value: object) -> None:
        """UserError for a word that is longer than any name, path or quantity."""
        if isinstance(value, str) and len(value) > MOST_CHARACTERS:
            raise self.mistake(key, f"is longer than {MOST_CHARACTERS} characters", "make it shorter")

    def table(self, key: str) -> Self:
        """A table below this one; empty when it is not there."""
        path = ".".join(part for part in (self.path, key) if part)
        return type(self)(self.file, path, self.get(key, {}))

    def word(self, key: str, default: str) -> str:
        """A string without control characters: it is printed, and may name a file."""
        value = self.get(key, default)
        if not isinstance(value, str):
            example = default or "WORD"  # an empty word is seldom what is wanted
            raise self.mistake(key, f"must be a word in quotes, not {value!r}", f'write {key} = "{example}"')
        if not value.isprintable():
            raise self.mistake(key, f"{value!r} holds control characters", "write it in one plain line")
        return value

    def choice(self, key: str, choices: Sequence[str]) -> str:
        """One of some strings; the first is the default."""
        value = self.word(key, choices[0])
        if value not in choices:
            raise self.mistake(key, f"cannot be {value!r}", f"choose one of: {', '.join(choices)}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self.mistake(key, f"must be true or false, not {value!r}", f"write {key} = true")
        return value

    def whole(self, key: str, default: int, least: int, most: int = sys.maxsize) -> int:
        """A whole number."""
        value = self.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            words = f"must be a whole number of at least {least}, not {value!r}"
            raise self.mistake(key, words, f"write {key} = {max(default, least)}")
        if value > most:
            raise self.mistake(key, f"can be at most {most}, not {value}", f"write {key} = {max(default, least)}")
        return value

    def number(self, key: str, default: float) -> float:
        """A number of at least 0."""
        value = self.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise self.mistake(key, f"must be a number of at least 0, not {value!r}", f"write {key} = {default:g}")
        return float(value)

    def cpus(self, key: str) -> tuple[int, ...]:
        """A list of CPU numbers."""
        value = self.get(key, [])
        numbers = value if isinstance(value, list) else []
        good = bool(numbers) and all(type(one) is int and one >= 0 for one in numbers)
        if not good or len(set(numbers)) != len(numbers):
            raise self.mistake(key, f"must be a list of different CPU numbers, not {value!r}", f"write {key} = [2, 3]")
        return tuple(sorted(numbers))

    def rest(self) -> dict[str, Scalar]:
        """All keys that were not asked for, as plain values."""
        found: dict[str, Scalar] = {}
        for key in self.content:
            if key in self.asked:
                continue
            value = self.get(key, None)
            if not isinstance(value, str | int | float | bool):
                raise self.mistake(key, f"must be a plain value, not {value!r}", "give a word, number, true or false")
            found[key] = value
        return found

    def only(self, *known: str) -> None:
        """UserError for a key that is none of these, before others are missed for it."""
        self.asked.update(known)
        self.finish()

    def finish(self) -> None:
        """UserError for the first key that nobody asked for."""
        for key in self.content:
            if key not in self.asked:
                near = get_close_matches(key, self.asked, n=1)
                known = ", ".join(sorted(self.asked))
                raise self.mistake(key, "unknown key", f"did you mean {near[0]}?" if near else f"known keys: {known}")
