"""A board's directory: made whole or not at all, with keys that fit each other."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host.process import run
from primetime.lab import board as board_module
from primetime.lab.board import PORTS, ROOT_VARIABLE, Board, check_room, default_root, free_port, is_free, own_files
from primetime.lab.image import Parts, recipe
from primetime.lab.profiles import PROFILES

X86 = PROFILES["x86"]
MIB = 1 << 20


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """Small files in place of a disk, a kernel and an initrd."""
    for name in ("disk", "kernel"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "initrd").write_bytes(b"initrd!")
    with (tmp_path / "disk").open("ab") as disk:
        disk.truncate(8 * MIB)
    return Parts(tmp_path / "disk", tmp_path / "kernel", tmp_path / "initrd")


def test_a_board_is_whole(tmp_path: Path, parts: Parts) -> None:
    board = Board(tmp_path / "lab", "x86")
    with board.locked():
        assert not board.exists
        board.make(X86, parts)
    about = board.about()
    assert (about.profile, about.recipe) == ("x86", recipe("amd64"))
    assert about.port in PORTS
    assert board.disk.read_bytes() == parts.disk.read_bytes()
    assert board.disk.stat().st_blocks * 512 < MIB  # still sparse
    for secret in (board.identity, board.directory / "host_key", board.directory / "initrd.img", board.disk):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_the_keys_fit_each_other(tmp_path: Path, parts: Parts) -> None:
    board = Board(tmp_path / "lab", "x86")
    with board.locked():
        board.make(X86, parts)
    public = run(["ssh-keygen", "-y", "-f", str(board.directory / "host_key")], timeout_s=20).stdout.decode().split()
    host, kind, blob = board.known_hosts.read_text().split()
    assert host == f"[127.0.0.1]:{board.about().port}"
    assert [kind, blob] == public[:2]
    found = run(
        ["ssh-keygen", "-F", f"[127.0.0.1]:{board.about().port}", "-f", str(board.known_hosts)], timeout_s=20
    ).stdout
    assert blob.encode() in found


def test_what_the_board_gets_at_every_start(tmp_path: Path, parts: Parts) -> None:
    board = Board(tmp_path / "lab", "x86")
    with board.locked():
        board.make(X86, parts)
    members = {member.name: member for member in own_files(board.directory, "x86")}
    assert members["board/etc/hostname"].content == b"x86\n"
    assert members["board/root/.ssh/authorized_keys"].content == (board.directory / "id_ed25519.pub").read_bytes()
    assert members["board/etc/ssh/ssh_host_ed25519_key"].mode & 0o777 == 0o600
    initrd = (board.directory / "initrd.img").read_bytes()
    assert initrd.startswith(
        b"initrd!" + bytes(1) + b"070701"
    )  # the kernel looks for the second archive at a multiple of four


def test_a_board_that_cannot_be_made_leaves_nothing(tmp_path: Path, parts: Parts) -> None:
    board = Board(tmp_path / "lab", "x86")
    with board.locked(), pytest.raises(FileNotFoundError):
        board.make(X86, Parts(parts.disk, tmp_path / "no-kernel", parts.initrd))
    assert [path.name for path in board.root.iterdir()] == ["x86.lock"]
    with board.locked():
        (board.root / "x86.part").mkdir()  # a maker that was killed
        (board.root / "x86.gone").mkdir()  # a remover that was killed
        board.make(X86, parts)
        assert {path.name for path in board.root.iterdir()} == {"x86", "x86.lock"}
        (board.root / "x86.gone").mkdir()
        board.remove()
    assert [path.name for path in board.root.iterdir()] == ["x86.lock"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "7",
        '{"port": 1}',
        '{"profile": "x86", "port": "many"}',
        '{"profile": "x86", "port": 99999999}',
        '{"profile": "x86", "port": 0}',
        '{"profile": "x86", "port": true}',
        '{"profile": "x86", "port": Infinity}',
        "[" * 100_000,
    ],
)
def test_a_damaged_board_says_how_to_get_a_new_one(tmp_path: Path, content: str) -> None:
    board = Board(tmp_path, "x86")
    board.directory.mkdir()
    (board.directory / "board.json").write_text(content)
    with pytest.raises(UserError, match="is damaged") as error:
        board.about()
    assert error.value.hint == f"primetime lab up --fresh --lab {tmp_path} x86"


def test_hints_say_where_boards_lie_only_where_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(tmp_path / "my lab", "x86")
    assert board.typed("up", "--fresh") == f"primetime lab up --fresh --lab '{board.root}' x86"
    monkeypatch.setenv(ROOT_VARIABLE, str(board.root))
    assert board.typed("ssh") == "primetime lab ssh x86"


def test_a_board_is_whole_with_all_its_files(tmp_path: Path, parts: Parts) -> None:
    board = Board(tmp_path / "lab", "x86")
    assert not board.is_whole
    board.root.mkdir()
    board.make(X86, parts)
    assert board.is_whole
    board.disk.unlink()
    assert not board.is_whole
    (board.directory / "board.json").unlink()
    assert board.has_traces
    (board.root / "pi4").mkdir()
    assert not Board(board.root, "pi4").has_traces, "a directory of somebody's own"


def test_one_verb_at_a_time(tmp_path: Path) -> None:
    board, other = Board(tmp_path / "lab", "x86"), Board(tmp_path / "lab", "pi4")
    with board.locked(), other.locked(), pytest.raises(UserError, match="busy with x86"), board.locked():
        pytest.fail("the lock was had twice")
    with board.locked():
        pass


def test_a_lab_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written") as error, Board(tmp_path / "file", "x86").locked():
        pytest.fail("a file is no directory")
    assert ROOT_VARIABLE in error.value.hint


def test_without_room_there_is_no_board(tmp_path: Path, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "RESERVE", 1 << 60)
    with pytest.raises(UserError, match="MiB free, a board needs"):
        check_room(tmp_path, parts.disk)


def test_ports() -> None:
    port = free_port()
    assert is_free(port)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        assert not is_free(port)


def test_where_boards_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    assert default_root() == Path("/var/lib/primetime/lab")
    monkeypatch.setenv(ROOT_VARIABLE, "/elsewhere")
    assert os.fspath(default_root()) == "/elsewhere"


def test_what_cannot_be_removed_is_said(tmp_path: Path) -> None:
    board = Board(tmp_path, "x86")
    board.remove()  # there is none: nothing to do
    board.directory.write_bytes(b"no directory")
    with pytest.raises(UserError, match="x86 cannot be removed"):
        board.remove()
    assert board.directory.read_bytes() == b"no directory", "it keeps its name, so that what was said is true"
    board.directory.rename(board.gone)
    with pytest.raises(UserError, match=r"x86\.gone cannot be removed"):
        board.remove()
