"""fleet.toml: what may stand in it, and that every mistake names file, key and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.fleet.fleet_file import FleetDevice, load_fleet
from primetime.model import MeterSpec

FULL = """
[devices.x86]
address = "127.0.0.1"
port = 40221
user = "root"
identity = "keys/id"
known_hosts = "/etc/known"
volume = "/mnt/card/volume"
meter = "bench"
power_cut = ["primetime", "lab", "kill", "x86"]

[devices.porch]
address = "porch"

[meters.bench]
kind = "shelly"
host = "192.0.2.1"
"""


TWICE = """
[devices.a]
address = "a"
meter = "rapl"
[devices.b]
address = "b"
meter = "rapl"
[meters.rapl]
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "fleet.toml"
    path.write_text(text)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    x86, porch = load_fleet(written(tmp_path, FULL))
    assert x86 == FleetDevice(
        name="x86",
        address="127.0.0.1",
        port=40221,
        user="root",
        identity=str(tmp_path / "keys/id"),
        known_hosts="/etc/known",
        volume="/mnt/card/volume",
        meter=MeterSpec("bench", "shelly", {"host": "192.0.2.1"}),
        power_cut=("primetime", "lab", "kill", "x86"),
    )
    assert porch == FleetDevice("porch", "porch")


def test_a_home_directory_is_the_users(tmp_path: Path) -> None:
    [device] = load_fleet(written(tmp_path, '[devices.a]\naddress = "a"\nidentity = "~/.ssh/id"\n'))
    assert device.identity == str(Path("~/.ssh/id").expanduser())


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("", "a fleet needs at least one device", "[devices.porch]"),
        ("devices = 3", "devices must be a table", "[devices]"),
        ("[device.a]\naddress = 'a'", "device: unknown key", "did you mean devices?"),
        ("[devices.a]\n", "devices.a.address: '' is no address", "address ="),
        ("[devices.a]\naddress = '-oProxyCommand=x'", "is no address", "address ="),
        ("[devices.a]\naddress = 'a b'", "is no address", "address ="),
        ("[devices.a]\naddress = 7", "must be a word in quotes", "address"),
        ("[devices.a]\naddress = 'a'\nport = 'x'", "devices.a.port: must be a whole number", "port"),
        ("[devices.a]\naddress = 'a'\nport = 70000", "can be at most 65535", "port"),
        ("[devices.a]\naddress = 'a'\nuser = '-l'", "devices.a.user: '-l' is no user", ""),
        ("[devices.a]\naddress = 'a'\nvolume = 'data'", "is not an absolute path", "begin it with /"),
        ("[devices.a]\naddress = 'a'\npower_cut = 'x'", "must be a list of words", "power_cut ="),
        ("[devices.a]\naddress = 'a'\npower_cut = [1]", "must be a list of words", "power_cut ="),
        ("[devices.a]\naddress = 'a'\nadress = 'b'", "devices.a.adress: unknown key", "did you mean address?"),
        ("[devices.'a/b']\naddress = 'a'", "a name may hold letters", "rename it"),
        ("[devices.a", "Expected", "https://toml.io"),
        ("[devices.a]\naddress = 'a'\nmeter = 'plug'", "devices.a.meter: there is no [meters.plug]", "add that table"),
        ("[devices.a]\naddress = 'a'\n[meters.plug]", "meters.plug.kind: unknown kind of meter 'plug'", "shelly"),
        ("[devices.a]\naddress = 'a'\n[meters.outside]\nmeter = 'x'", "unknown kind of meter 'outside'", "shelly"),
        (
            "[devices.a]\naddress = 'a'\n[meters.shelly]",
            ": meters.shelly (shelly): host is missing",
            "address",
        ),
        (TWICE, "devices.b.meter: meter 'rapl' watches a already", "give each its own"),
    ],
)
def test_a_mistake_names_file_key_and_a_way_out(tmp_path: Path, text: str, said: str, hint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_fleet(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no fleet file") as caught:
        load_fleet(tmp_path / "fleet.toml")
    assert "primetime lab up" in caught.value.hint
