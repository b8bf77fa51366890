"""The figures that a user's own program prints: what a study says of them, and finding them in the output."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from primetime.errors import TrialFailed, UserError
from primetime.model import Direction, Metric, MetricKind

NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
LONGEST_UNIT = 20
OURS = (  # what the runner and the instruments measure themselves
    "cpu_", "disk_", "net_", "page_cache_", "dirty_", "environment_", "host_", "observer_", "control_", "device_",
    "energy", "power", "context_switches", "interrupts", "softirqs", "footprint", "ready", "work_bytes",
    "written_bytes", "drained_rate", "duration", "tool_duration",
)  # fmt: skip
KEYS = ("name", "unit", "direction", "kind", "regex", "json")
EXAMPLE = 'metric = { name = "requests", unit = "1/s", direction = "higher", regex = "([0-9.]+) requests/s" }'
PATH_EXAMPLE = 'e.g. json = "$.summary.rate" or json = "$.runs[0].seconds"'
STEP = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,6})\]|\[(?:"([^"]+)"|'([^']+)')\]""")


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric and where it stands in the output: a pattern with one group, or the steps of a JSON path."""

    metric: Metric
    pattern: re.Pattern[str] | None
    steps: tuple[str | int, ...]

    def found_in(self, stdout: str, stderr: str) -> float:
        """Return the value; TrialFailed when there is none, or it is no number."""
        found: Any = self.matched(stdout, stderr) if self.pattern else self.looked_up(stdout)
        try:
            value = float(found)
        except (TypeError, ValueError, OverflowError):
            raise TrialFailed(f"{self.metric.name}: {str(found)[:80]!r} is no number") from None
        if isinstance(found, bool) or not isfinite(value):
            raise TrialFailed(f"{self.metric.name}: {found!r} is no figure")
        return value

    def matched(self, stdout: str, stderr: str) -> str:
        """The last match on stdout, else the last on stderr: programs print their sum at the end."""
        assert self.pattern is not None
        for text in (stdout, stderr):
            matches = list(self.pattern.finditer(text))
            if matches:
                return str(matches[-1][1])
        raise TrialFailed(f"{self.metric.name}: the output does not match {self.pattern.pattern!r}")

    def looked_up(self, stdout: str) -> object:
        """What stands at the path in the output, or in its last line where the whole is not JSON."""
        value: Any = last_document(stdout)
        if value is None:
            raise TrialFailed(f"{self.metric.name}: the output is no JSON")
        for step in self.steps:
            try:
                value = value[step]
            except (LookupError, TypeError):
                raise TrialFailed(f"{self.metric.name}: the output has no {step!r} where json says") from None
        return value


def last_document(stdout: str) -> object:
    """The output as JSON, else its last line; None when neither is."""
    for text in (stdout, (stdout.strip().splitlines() or [""])[-1]):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass  # the next one may be
    return None


def read_figure(where: str, table: object) -> Figure:
    """Check one metric of a study. UserError with the key and a hint."""
    if not isinstance(table, Mapping):
        raise UserError(f"{where} must be a table, not {table!r}", EXAMPLE)
    for key, value in table.items():
        if key not in KEYS:
            raise UserError(f"{where}: unknown key {key!r}", f"known keys: {', '.join(KEYS)}")
        if not isinstance(value, str) or not value:
            raise UserError(f"{where}: {key} must be a word in quotes, not {value!r}", EXAMPLE)
    metric = read_metric(where, table)
    if ("regex" in table) == ("json" in table):
        raise UserError(f"{where}: {metric.name} needs either regex or json", EXAMPLE)
    if "regex" in table:
        return Figure(metric, read_pattern(where, table["regex"]), ())
    return Figure(metric, None, read_path(where, table["json"]))


def read_metric(where: str, table: Mapping[str, str]) -> Metric:
    """Check name, unit, direction and kind."""
    for key in ("name", "unit", "direction"):
        if key not in table:
            raise UserError(f"{where}: {key} is missing", EXAMPLE)
    name, unit = table["name"], table["unit"]
    if not NAME.fullmatch(name):
        raise UserError(f"{where}: {name!r} is no metric's name", "use small letters, digits, '_', '-' and '.'")
    if name.startswith(OURS):
        raise UserError(f"{where}: {name!r} is what primetime measures itself", "choose another name, e.g. app_latency")
    if not unit.isprintable() or len(unit) > LONGEST_UNIT:
        raise UserError(f"{where}: {unit!r} is no unit", 'e.g. unit = "1/s", "s", "B/s" or "1"')
    direction = one_of(where, "direction", table["direction"], tuple(Direction))
    usual = MetricKind.RATE if direction == Direction.HIGHER else MetricKind.COST
    kind = one_of(where, "kind", table.get("kind", usual), tuple(MetricKind))
    return Metric(name, unit, Direction(direction), MetricKind(kind))


def one_of(where: str, key: str, value: str, choices: tuple[str, ...]) -> str:
    """The value; UserError when it is none of the choices."""
    if value not in choices:
        raise UserError(f"{where}: {key} cannot be {value!r}", f"choose one of: {', '.join(choices)}")
    return value


def read_pattern(where: str, text: str) -> re.Pattern[str]:
    """Compile a regular expression with one group, the figure."""
    try:
        pattern = re.compile(text, re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        hint = "the syntax is Python's; in single quotes TOML leaves backslashes alone"
        raise UserError(f"{where}: regex {text!r} does not compile: {error}", hint) from None
    if pattern.groups != 1:
        words = f"{where}: regex {text!r} has {pattern.groups} groups, the figure needs one"
        raise UserError(words, "put ( ) around the number, and (?: ) around everything else")
    return pattern


def read_path(where: str, text: str) -> tuple[str | int, ...]:
    """Split $.a.b[0]["c"] into its steps."""
    if not text.startswith("$"):
        raise UserError(f"{where}: json {text!r} does not begin with $", PATH_EXAMPLE)
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        step = STEP.match(text, at)
        if step is None:
            raise UserError(f"{where}: json {text!r} is not understood from {text[at:]!r} on", PATH_EXAMPLE)
        steps.append(int(step[2]) if step[2] else step[1] or step[3] or step[4])
        at = step.end()
    return tuple(steps)
