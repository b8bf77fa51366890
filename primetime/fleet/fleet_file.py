"""fleet.toml: which boards there are, and how to reach them. Every mistake names the file, the key and a way out.

[devices.porch]
address = "192.168.1.20"                 # what ssh is given: a host name of ~/.ssh/config serves too
port = 22                                # this and the next three: ssh's own configuration decides otherwise
user = "root"                            # anybody else uses `sudo -n`
identity = "~/.ssh/boards"
known_hosts = "~/.ssh/known_boards"
volume = "/var/lib/primetime/volume"     # replaces the study's volume.path
meter = "plug"                           # [meters.plug]: recorded here while the board measures
power_cut = ["plug", "off", "porch"]     # what cuts its power: for audits

[meters.plug]                            # the keys of a study's [meter.NAME]
kind = "shelly"
host = "192.168.1.50"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from primetime.errors import UserError
from primetime.instruments.power.tables import read_meters
from primetime.model import MeterSpec
from primetime.model.toml_table import NAME, TomlTable

DEFAULT_VOLUME = "/var/lib/primetime/volume"
LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class FleetDevice:
    """One board. 0 and "" leave a matter to ssh's own configuration."""

    name: str
    address: str
    port: int = 0
    user: str = ""
    identity: str = ""
    known_hosts: str = ""
    volume: str = DEFAULT_VOLUME
    meter: MeterSpec | None = None
    power_cut: tuple[str, ...] = ()


def load_fleet(path: Path) -> tuple[FleetDevice, ...]:
    """Read a fleet file. UserError for everything that is wrong in it."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = "write one (docs/fleet.md), name another, or: primetime lab up x86, which writes one"
        raise UserError(f"there is no fleet file {path}", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", "a fleet file is UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: {error}", "the file is TOML: https://toml.io") from None
    top = TomlTable(str(path), "", content)
    table = top.table("devices")
    meters = {spec.name: spec for spec in read_meters(top.table("meters"))}
    top.finish()
    devices = tuple(read_device(table, name, path.parent, meters) for name in table.keys())
    if not devices:
        raise UserError(f"{path}: a fleet needs at least one device", "add a table such as [devices.porch]")
    watching: dict[str, str] = {}
    for device in devices:
        if device.meter and watching.setdefault(device.meter.name, device.name) != device.name:
            words = f"meter {device.meter.name!r} watches {watching[device.meter.name]} already"
            raise table.mistake(
                f"{device.name}.meter", words, "a meter sees one board: give each its own [meters.NAME]"
            )
    return devices


def read_device(devices: TomlTable, name: str, directory: Path, meters: Mapping[str, MeterSpec]) -> FleetDevice:
    """[devices.NAME]. `directory`: what relative paths of keys are relative to."""
    if not NAME.fullmatch(name):
        raise devices.mistake(name, "a name may hold letters, digits, '.', '_' and '-', at most 40", "rename it")
    own = devices.table(name)
    device = FleetDevice(
        name=name,
        address=read_host(own, "address"),
        port=own.whole("port", 0, least=1, most=LAST_PORT) if own.get("port", None) is not None else 0,
        user=read_host(own, "user") if own.get("user", None) is not None else "",
        identity=read_file(own, "identity", directory),
        known_hosts=read_file(own, "known_hosts", directory),
        volume=own.word("volume", DEFAULT_VOLUME),
        meter=read_meter(own, meters),
        power_cut=read_argv(own, "power_cut"),
    )
    if not PurePosixPath(device.volume).is_absolute():
        raise own.mistake("volume", f"{device.volume!r} is not an absolute path", "begin it with /")
    own.finish()
    return device


def read_host(own: TomlTable, key: str) -> str:
    """A word that ssh cannot take for an option, and that has no room for anything else."""
    value = own.word(key, "")
    if not value or value.startswith("-") or any(letter.isspace() for letter in value):
        example = "192.168.1.20" if key == "address" else "root"
        raise own.mistake(key, f"{value!r} is no {key}", f'write {key} = "{example}"')
    return value


def read_meter(own: TomlTable, meters: Mapping[str, MeterSpec]) -> MeterSpec | None:
    """The device's meter; None where it has none."""
    name = own.word("meter", "")
    if name and name not in meters:
        raise own.mistake("meter", f"there is no [meters.{name}]", "add that table, with the kind of the meter")
    return meters.get(name)


def read_file(own: TomlTable, key: str, directory: Path) -> str:
    """The path of a file of this machine, from the fleet file's own directory; "" when it is not said."""
    value = own.word(key, "")
    try:
        return str(directory.absolute() / Path(value).expanduser()) if value else ""
    except RuntimeError as error:  # ~somebody who is not there
        raise own.mistake(key, f"{value!r}: {error}", "write the whole path") from None


def read_argv(own: TomlTable, key: str) -> tuple[str, ...]:
    """A program with its arguments."""
    value = own.get(key, [])
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise own.mistake(key, f"must be a list of words, not {value!r}", f'write {key} = ["program", "argument"]')
    return tuple(value)
