"""A study as JSON and back: the campaign file keeps the study as it was resolved when the campaign began."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from primetime.model import (
    EnvironmentSpec,
    FlashSpec,
    LimitSpec,
    MeterSpec,
    Pace,
    Point,
    PowerSpec,
    Stopping,
    Study,
    VolumeSpec,
)


def plain(value: object) -> object:
    """Return dataclasses and mappings as dicts and tuples as lists, ready for JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(item) for item in value]
    return value


def study_to_json(study: Study) -> str:
    """Return the resolved study as JSON text."""
    return json.dumps(plain(study), ensure_ascii=False)


def study_from_json(text: str) -> Study:
    """Rebuild the study that `study_to_json` wrote."""
    content = json.loads(text)
    content["environments"] = tuple(EnvironmentSpec(**item) for item in content["environments"])
    content["points"] = tuple(Point(**item) for item in content["points"])
    content["limits"] = LimitSpec(**content["limits"])
    content["volume"] = VolumeSpec(**content["volume"])
    content["stopping"] = Stopping(**content["stopping"])
    content["pace"] = Pace(**content["pace"])
    content["flash"] = FlashSpec(**content.get("flash", {}))
    power = content.get("power", {})
    power["meters"] = tuple(MeterSpec(**item) for item in power.get("meters", ()))
    content["power"] = PowerSpec(**power)
    content["cpu_sets"] = {name: tuple(cpus) for name, cpus in content["cpu_sets"].items()}
    return Study(**content)
