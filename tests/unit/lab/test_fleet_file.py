"""fleet.toml is somebody's file: ours is one table, all else stays byte for byte."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
import tomllib
from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.lab.fleet_file import Value, add_to_fleet, require_editable, with_entry

ENTRY: dict[str, Value] = {
    "address": "127.0.0.1",
    "port": 20001,
    "identity": '/a "b"/id',
    "power_cut": ["primetime", "lab", "kill", "x86"],
}
OTHERS = '# my boards\r\n[devices.pi]\naddress = "pi.local"   # the real one\n\n[meters]\nplug = "é"\n'


def test_a_file_is_made_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    assert add_to_fleet(path, "x86", ENTRY)
    assert tomllib.loads(path.read_text()) == {"devices": {"x86": ENTRY}}


def test_boards_that_come_up_together_are_all_there(tmp_path: Path) -> None:
    path, names = tmp_path / "fleet.toml", [f"board{number}" for number in range(16)]
    threads = [threading.Thread(target=add_to_fleet, args=(path, name, ENTRY)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(tomllib.loads(path.read_text())["devices"]) == set(names)


@pytest.mark.parametrize("others", [OTHERS, OTHERS.rstrip("\n"), "title = 1\n", "[devices]\n"])
def test_everything_else_stays(tmp_path: Path, others: str) -> None:
    path = tmp_path / "fleet.toml"
    path.write_bytes(others.encode())
    add_to_fleet(path, "x86", ENTRY)
    assert path.read_bytes().startswith(others.encode())
    assert tomllib.loads(path.read_text())["devices"]["x86"] == ENTRY


def test_a_users_file_stays_what_it_is(tmp_path: Path) -> None:
    """A link stays a link and a mode a mode; nothing else is left beside it."""
    real, path = tmp_path / "mine.toml", tmp_path / "fleet.toml"
    real.write_text(OTHERS)
    real.chmod(0o640)
    path.symlink_to("mine.toml")
    add_to_fleet(path, "x86", ENTRY)
    assert path.is_symlink()
    assert real.stat().st_mode & 0o7777 == 0o640
    assert tomllib.loads(real.read_text())["devices"]["x86"] == ENTRY
    assert {found.name for found in tmp_path.iterdir()} == {"mine.toml", "fleet.toml"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may lay one file over another")
def test_a_file_that_is_mounted_is_written_in_place(tmp_path: Path) -> None:
    """As into a container: nothing can take its name."""
    real, path = tmp_path / "mine.toml", tmp_path / "fleet.toml"
    real.write_text(OTHERS)
    path.touch()
    if subprocess.run(["mount", "--bind", str(real), str(path)], capture_output=True, check=False).returncode:
        pytest.skip("no mounts here")
    try:
        add_to_fleet(path, "x86", ENTRY)
    finally:
        subprocess.run(["umount", str(path)], check=True)
    assert tomllib.loads(real.read_text())["devices"]["x86"] == ENTRY


def test_it_is_the_same_file_afterwards(tmp_path: Path) -> None:
    """Who may write the file need not be allowed to write its directory, nor to give files away."""
    path = tmp_path / "fleet.toml"
    path.write_text(OTHERS)
    other_name = tmp_path / "linked.toml"
    other_name.hardlink_to(path)
    add_to_fleet(path, "x86", ENTRY)
    assert path.stat().st_ino == other_name.stat().st_ino
    assert tomllib.loads(other_name.read_text())["devices"]["x86"] == ENTRY


def mknod(path: Path) -> None:
    """Make a socket that nothing listens on: opening it fails, where opening a pipe would wait for ever."""
    os.mknod(path, stat.S_IFSOCK | 0o600)


def test_what_is_no_regular_file_is_refused_early_and_left_alone(tmp_path: Path) -> None:
    """`--fleet /dev/null`, as root, once took the device's place."""
    node, link, directory = tmp_path / "node", tmp_path / "link", tmp_path / "directory"
    mknod(node)
    link.symlink_to(node)
    directory.mkdir()
    for path in (node, link, directory):
        before = path.lstat()
        for act in (lambda: require_editable(path, "x86"), lambda: add_to_fleet(path, "x86", ENTRY)):  # noqa: B023
            with pytest.raises(UserError, match="is no regular file") as error:
                act()
            assert error.value.hint
        assert path.lstat().st_ino == before.st_ino
    assert stat.S_ISSOCK(node.stat().st_mode)


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_bytes(OTHERS.encode())
    add_to_fleet(path, "x86", ENTRY)
    before = path.read_bytes()
    assert not add_to_fleet(path, "x86", ENTRY)
    assert path.read_bytes() == before


def test_only_what_differs_is_brought_up_to_date() -> None:
    text = f'{OTHERS}[devices.x86]\nmeter = "plug" # mine\nport=1\naddress = "127.0.0.1"  # kept\n[tail]\nport = 1\n'
    after = with_entry(text, "x86", ENTRY)
    assert after.startswith(f"{OTHERS}[devices.x86]\n")
    assert 'meter = "plug" # mine\nport = 20001\naddress = "127.0.0.1"  # kept\n[tail]\nport = 1\n' in after
    assert tomllib.loads(after)["devices"]["x86"] == {"meter": "plug", **ENTRY}


@pytest.mark.parametrize("header", ["[devices.x86]", '[devices."x86"]', "[ devices . x86 ] # a board"])
def test_the_table_is_found_however_it_is_written(tmp_path: Path, header: str) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(f"{header}\nport = 1")
    add_to_fleet(path, "x86", ENTRY)
    assert tomllib.loads(path.read_text())["devices"]["x86"] == ENTRY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[devices.x86\n", "is not TOML"),
        ("[devices]\nx86 = {port = 1}\n", "cannot be brought up to date"),
        ("devices.x86.port = 1\n", "cannot be brought up to date"),
        ("devices = 1\n", "cannot be brought up to date"),
        ("[devices.x86]\npower_cut = [\n'a']\n", "cannot be brought up to date"),
        ("# [devices.x86]\nbytes = '\udcff'\n", "cannot be read"),
    ],
)
def test_what_cannot_be_edited_is_left_alone(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "fleet.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    before = path.read_bytes()
    with pytest.raises(UserError, match=words) as error:
        add_to_fleet(path, "x86", ENTRY)
    assert error.value.hint
    assert path.read_bytes() == before
