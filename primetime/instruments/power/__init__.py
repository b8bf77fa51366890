"""POWER METERS: the registry; a member is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

from primetime.errors import UserError
from primetime.instruments.power.base import Meter
from primetime.instruments.power.outside import OUTSIDE
from primetime.model import MeterSpec

MEMBERS = {
    "rapl": ("primetime.instruments.power.rapl", "Rapl"),
    "hwmon": ("primetime.instruments.power.hwmon", "Hwmon"),
    "ina3221": ("primetime.instruments.power.ina3221", "Ina3221"),
    "power_supply": ("primetime.instruments.power.power_supply", "PowerSupply"),
    "pmic": ("primetime.instruments.power.pmic", "Pmic"),
    "shelly": ("primetime.instruments.power.shelly", "Shelly"),
    "tasmota": ("primetime.instruments.power.tasmota", "Tasmota"),
    "mqtt": ("primetime.instruments.power.mqtt", "Mqtt"),
    "um25c": ("primetime.instruments.power.um25c", "Um25c"),
    "tc66c": ("primetime.instruments.power.tc66c", "Tc66c"),
    "fnirsi": ("primetime.instruments.power.fnirsi", "Fnirsi"),
    "joulescope": ("primetime.instruments.power.joulescope", "Joulescope"),
    "scpi": ("primetime.instruments.power.scpi", "Scpi"),
    "dcmi": ("primetime.instruments.power.dcmi", "Dcmi"),
    "redfish": ("primetime.instruments.power.redfish", "Redfish"),
    "csv": ("primetime.instruments.power.csv_log", "CsvLog"),
    "command": ("primetime.instruments.power.command", "CommandMeter"),
}
OF_A_FLEET = {OUTSIDE: ("primetime.instruments.power.outside", "Outside")}  # no study file may name it
ON_THE_BOARD = ("rapl", "hwmon", "ina3221", "power_supply", "pmic", "dcmi")  # found without being told where
SUGGESTED = (
    "a smart plug that answers on the network (Shelly Plug S, 0.1 W, 1 Hz): kind shelly, at the wall",
    "a USB-C in-line meter with Bluetooth (UM25C, 1 mW, 2 Hz): kind um25c, between supply and board",
    "a bench power meter (Yokogawa WT300E, 0.15 %, 10 Hz): kind scpi, at the wall or between supply and board",
)


def kinds() -> tuple[str, ...]:
    """The kinds of meters that a study may name."""
    return tuple(MEMBERS)


def meter_class(kind: str) -> type[Meter]:
    """Return the class of a kind; UserError when there is none."""
    if kind not in MEMBERS and kind not in OF_A_FLEET:
        raise UserError(f"unknown kind of meter {kind!r}", f"known kinds: {', '.join(MEMBERS)}")
    module, member = {**MEMBERS, **OF_A_FLEET}[kind]
    found: type[Meter] = getattr(import_module(module), member)
    return found


def meter(spec: MeterSpec) -> Meter:
    """Make the meter that a study describes. UserError."""
    return meter_class(spec.kind)(spec.name, spec.settings)


def outside(spec: MeterSpec) -> MeterSpec:
    """Return what a board is told of a meter that its controller records. UserError."""
    billed = meter(spec).channels()[0]
    settings = {
        "meter": spec.kind,
        "channel": billed.name,
        "unit": billed.unit,
        "place": billed.place.value,
        "resolution": billed.resolution,
        "hz": billed.hz,
        "accuracy": billed.accuracy,
        "missing": billed.missing,
    }
    return MeterSpec(spec.name, OUTSIDE, settings)


def meters_found() -> list[Meter]:
    """The meters that this device itself carries."""
    every = [meter_class(kind)(kind, {}) for kind in ON_THE_BOARD]
    return [one for one in every if not one.unavailable()]


def resolves(one: Meter) -> str:
    """Say in words what a meter's billed channel can tell apart, and what it does not see."""
    channel = one.channels()[0]
    accuracy = f"±{100 * channel.accuracy:g} %" if channel.accuracy else "accuracy not stated"
    missing = f"; not seen: {channel.missing}" if channel.missing else ""
    step = f"{channel.resolution:g} {channel.unit}"
    return f"{channel.name} at the {channel.place}: steps of {step}, {channel.hz:g} Hz, {accuracy}{missing}"
