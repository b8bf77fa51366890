"""WHAT IS WATCHED: the registry of instruments; a member is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from primetime.errors import UserError
from primetime.instruments.base import Instrument
from primetime.model import Fact

MEMBERS = {
    "cpu": ("primetime.instruments.cpu", "Cpu"),
    "percpu": ("primetime.instruments.cpu", "PerCpu"),
    "cgroup": ("primetime.instruments.cgroup", "CgroupUse"),
    "bill": ("primetime.instruments.bill", "Bill"),
    "threads": ("primetime.instruments.threads", "Threads"),
    "disk": ("primetime.instruments.disk", "Disk"),
    "net": ("primetime.instruments.net", "Net"),
    "interrupts": ("primetime.instruments.interrupts", "Interrupts"),
    "memory": ("primetime.instruments.memory", "Memory"),
    "thermal": ("primetime.instruments.thermal", "Thermal"),
    "residency": ("primetime.instruments.residency", "Residency"),
    "observer": ("primetime.instruments.observer", "Observer"),
    "fake": ("primetime.instruments.fake", "FakeInstrument"),
}


def default_names() -> tuple[str, ...]:
    """What is watched unless something else is said."""
    return tuple(name for name in MEMBERS if name != "fake")


def instrument(name: str, volume: Path, control: str) -> Instrument:
    """Return the instrument called `name`. UserError.

    `volume`: a directory on the storage under test; `control`: the control interface, "" where there is none.
    """
    if name not in MEMBERS:
        raise UserError(f"unknown instrument {name!r}", f"known instruments: {', '.join(default_names())}")
    module, member = MEMBERS[name]
    made = getattr(import_module(module), member)
    told = {"disk": (volume,), "net": (control,)}.get(name, ())
    found: Instrument = made(*told)
    return found


def all_instruments(volume: Path, control: str) -> list[Instrument]:
    """One of each that is watched by default."""
    return [instrument(name, volume, control) for name in default_names()]


def default_instruments(volume: Path, control: str) -> list[Instrument]:
    """Those that this device can have."""
    return [member for member in all_instruments(volume, control) if not member.unavailable()]


def instrument_facts(volume: Path, control: str) -> tuple[Fact, ...]:
    """A fact per instrument: its rate ("0 Hz": at the edges of windows), or why it is not there."""
    members = all_instruments(volume, control)
    return tuple(Fact(f"instrument.{member.name}", state(member)) for member in members)


def state(member: Instrument) -> str:
    """An instrument's rate, or why this device cannot have it."""
    reason = member.unavailable()
    return f"unavailable: {reason}" if reason else f"{member.hz:g} Hz"
