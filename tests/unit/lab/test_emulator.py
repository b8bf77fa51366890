"""QEMU's command line, and that only a board's own emulator is ever taken for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host.process import Spawning, spawn
from primetime.lab import life
from primetime.lab.board import FILES, About, Board
from primetime.lab.emulator import cut_power, emulator_argv, is_up, kernel_command_line, qemu_major, running, start
from primetime.lab.profiles import GIB, PROFILES, Size

SLEEPER = "import sys, time; print(flush=True); time.sleep(60)"


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """A board's directory with nothing but what it is."""
    made = Board(tmp_path, "x86")
    made.directory.mkdir()
    (made.directory / "board.json").write_text(json.dumps(asdict(About("x86", 20001, "recipe"))))
    return made


@contextmanager
def process(*words: str) -> Iterator[int]:
    """A real process with these words on its command line."""
    with spawn([sys.executable, "-c", SLEEPER, *words], Spawning(stdout=subprocess.PIPE)) as child:
        assert child.stdout is not None
        child.stdout.readline()  # from here on it has its own command line
        yield child.pid


def test_nothing_listens_beyond_loopback_and_nothing_leads_out(board: Board) -> None:
    argv = emulator_argv(board, PROFILES["x86"], Size(1, GIB), 20001)
    [network] = [word for word in argv if word.startswith("user,")]
    assert network == "user,id=net,ipv6=off,restrict=on,hostfwd=tcp:127.0.0.1:20001-:22"
    assert not any(word in ("-vnc", "-monitor", "-qmp", "-gdb", "-s") for word in argv)


def test_the_disk_keeps_what_was_flushed_and_nothing_else(board: Board) -> None:
    argv = emulator_argv(board, PROFILES["x86"], Size(1, GIB), 20001)
    disk = json.loads(argv[argv.index("-blockdev") + 1])
    assert disk["cache"] == {"direct": False, "no-flush": False}
    assert disk["file"]["filename"] == str(board.disk)


@pytest.mark.parametrize("name", PROFILES)
def test_the_machine_is_the_profiles(board: Board, name: str) -> None:
    profile = PROFILES[name]
    argv = emulator_argv(board, profile, Size(3, 5 * GIB), 20001)
    given = dict(pairwise(argv))
    assert (given["-machine"], given["-cpu"]) == (profile.machine, profile.cpu)
    assert (given["-smp"], given["-m"]) == ("3", "5120M")
    assert given["-accel"].startswith("tcg")


def test_the_board_knows_that_it_is_emulated() -> None:
    words = kernel_command_line(PROFILES["pi4"]).split()
    assert {"primetime.emulated=pi4", "console=ttyAMA0", "panic=-1", "oops=panic"} <= set(words)


def test_the_version_is_read_from_what_a_program_says(tmp_path: Path) -> None:
    qemu = tmp_path / "qemu"
    qemu.write_text("#!/bin/sh\necho 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)'\n")
    qemu.chmod(0o755)
    assert qemu_major(str(qemu)) == 7
    assert qemu_major("/bin/true") == 0


def test_the_emulator_is_found_and_killed(board: Board) -> None:
    assert not is_up(board)
    with process("-pidfile", str(board.pid_file)) as pid:
        board.pid_file.write_text(f"{pid}\n")
        assert is_up(board)
        assert cut_power(board)
        assert not is_up(board)
        assert not cut_power(board)


def test_another_process_of_that_number_is_none(board: Board) -> None:
    with process("-pidfile", f"{board.pid_file}.of.another") as pid:
        board.pid_file.write_text(f"{pid}\n")
        assert not is_up(board)
        assert not cut_power(board)
        assert Path(f"/proc/{pid}").is_dir()


@pytest.mark.parametrize("content", ["", "not a number", "999999999", "9" * 30, "-1", "0"])
def test_a_useless_pid_file(board: Board, content: str) -> None:
    board.pid_file.write_text(content)
    with running(board) as emulator:
        assert emulator is None


def test_one_that_ended_by_itself_is_down(board: Board) -> None:
    with process(str(board.pid_file)) as pid:
        board.pid_file.write_text(str(pid))
    assert not is_up(board)


def test_verbs_on_what_is_not_there(board: Board, tmp_path: Path) -> None:
    for act in (life.kill, lambda one: life.down(one, remove=False), life.require_up):
        with pytest.raises(UserError, match="x86 is not up") as error:
            act(board)
        assert error.value.hint == f"primetime lab up --lab {tmp_path} x86"
        with pytest.raises(UserError, match="no board pi4 here"):
            act(Board(tmp_path, "pi4"))
    assert life.down(board, remove=True)
    assert not board.exists


def test_what_a_killed_remover_left_can_be_removed(tmp_path: Path) -> None:
    board = Board(tmp_path, "x86")
    board.gone.mkdir()
    (board.gone / "disk.img").write_bytes(b"half")
    with pytest.raises(UserError, match="no board x86 here"):
        life.down(board, remove=False)
    assert life.down(board, remove=True)
    assert not board.gone.exists()
    with pytest.raises(UserError, match="no board x86 here"):
        life.down(board, remove=True)


def test_what_is_damaged_can_be_removed_and_what_is_no_board_is_left_alone(tmp_path: Path) -> None:
    board = Board(tmp_path, "x86")
    board.directory.mkdir()
    (board.directory / "letters").write_text("somebody's own")
    with pytest.raises(UserError, match="no board x86 here"):
        life.down(board, remove=True)
    (board.directory / "disk.img").write_bytes(b"")
    with pytest.raises(UserError, match="is damaged"):
        life.down(board, remove=False)
    assert life.down(board, remove=True)
    assert not board.directory.exists()


@pytest.mark.parametrize("content", ["{}", '{"profile": "x86", "port": 99999999}', None])
def test_a_damaged_board_hides_no_other(board: Board, content: str | None) -> None:
    """`lab list` shows it as what it is, and `lab up` says --fresh."""
    if content is not None:
        (board.directory / "board.json").write_text(content)
    states = {one.profile: one.state for one in life.standing(board.root)}
    assert states == {name: "damaged" if name == "x86" else "none" for name in PROFILES}
    with pytest.raises(UserError, match="is damaged") as error:
        start(board, PROFILES["x86"], Size(1, GIB))
    assert "lab up --fresh" in error.value.hint


def test_a_damaged_one_that_runs_can_be_killed(board: Board) -> None:
    (board.directory / "board.json").unlink()
    with process("-pidfile", str(board.pid_file)) as pid:
        board.pid_file.write_text(f"{pid}\n")
        life.kill(board)
        assert not is_up(board)


def test_an_emulator_that_refuses_does_not_hint_at_the_same_again(board: Board) -> None:
    for name in FILES:
        (board.directory / name).write_bytes(b"")
    refusing = replace(PROFILES["x86"], emulator=replace(PROFILES["x86"].emulator, program="/bin/false"))
    with pytest.raises(UserError, match="the emulator did not start") as error:
        start(board, refusing, Size(1, GIB))
    assert "lab up --fresh" in error.value.hint
