"""Waiting for a board: every way not to come up ends with its console. Peers are real processes and sockets."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from primetime.errors import BootFailed, UserError
from primetime.host.process import Spawning, spawn
from primetime.lab.board import About, Board
from primetime.lab.emulator import program_of
from primetime.lab.profiles import Emulator
from primetime.lab.reach import TAIL_BYTES, await_board, console_tail, greets, ssh_argv

SLEEPER = "import time; print(flush=True); time.sleep(60)"


@contextmanager
def listener(greeting: bytes) -> Iterator[int]:
    """A server on a port of its own that says `greeting` to everybody and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    """A board whose emulator runs and says nothing."""
    made = Board(tmp_path, "x86")
    made.directory.mkdir()
    with listener(b"") as port:
        (made.directory / "board.json").write_text(json.dumps(asdict(About("x86", port, ""))))
        argv = [sys.executable, "-c", SLEEPER, str(made.pid_file)]
        with spawn(argv, Spawning(stdout=subprocess.PIPE)) as child:
            assert child.stdout is not None
            child.stdout.readline()
            made.pid_file.write_text(str(child.pid))
            yield made


@pytest.mark.parametrize(
    ("greeting", "is_ssh"), [(b"SSH-2.0-OpenSSH_10.0\r\n", True), (b"220 ready\r\n", False), (b"", False)]
)
def test_only_sshd_is_an_answer(greeting: bytes, is_ssh: bool) -> None:
    with listener(greeting) as port:
        assert greets(port) is is_ssh
    assert not greets(port)


def test_a_silent_board_is_given_up(board: Board) -> None:
    board.console.write_bytes(b"primetime-init\n")
    with pytest.raises(BootFailed, match=r"x86: it did not answer within 0\.1 s") as error:
        await_board(board, limit_s=0.1)
    assert error.value.console == b"primetime-init\n"


def test_a_board_that_greets_and_lets_nobody_in_says_why(board: Board) -> None:
    """sshd's greeting and nothing behind it."""
    with listener(b"SSH-2.0-OpenSSH_10.0\r\n") as port:
        (board.directory / "board.json").write_text(json.dumps(asdict(About("x86", port, ""))))
        with pytest.raises(BootFailed, match=r"it did not answer within 0\.1 s \(ssh ended without a word"):
            await_board(board, limit_s=0.1)


def test_a_panic_is_not_waited_for(board: Board) -> None:
    board.console.write_bytes(b"[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n")
    with pytest.raises(BootFailed, match="x86: its kernel panicked"):
        await_board(board, limit_s=60)


def test_an_emulator_that_ends_is_not_waited_for(board: Board) -> None:
    board.pid_file.write_text("0")
    with pytest.raises(BootFailed, match="x86: its emulator ended"):
        await_board(board, limit_s=60)


def test_the_end_of_the_console(board: Board) -> None:
    assert console_tail(board) == b""
    board.console.write_bytes(b"a" * TAIL_BYTES + b"the end")
    assert console_tail(board).endswith(b"the end")
    assert len(console_tail(board)) == TAIL_BYTES


def test_ssh_takes_this_boards_keys_and_no_others(board: Board) -> None:
    argv = ssh_argv(board)
    assert argv[1:3] == ["-F", "none"]
    assert {f'IdentityFile="{board.identity}"', "IdentitiesOnly=yes", "StrictHostKeyChecking=yes"} <= set(argv)
    assert argv[-3:] == ["-p", str(board.about().port), "root@127.0.0.1"]


def test_a_lab_may_lie_in_a_directory_with_a_space(board: Board) -> None:
    options = [word for word in ssh_argv(board) if word.startswith(("IdentityFile=", "UserKnownHostsFile="))]
    assert [word.partition("=")[2][0] + word[-1] for word in options] == ['""', '""']


def test_an_emulator_that_is_not_installed() -> None:
    with pytest.raises(UserError, match="qemu-system-none is not installed") as error:
        program_of(Emulator("amd64", "qemu-system-none", "qemu-system-misc", "ttyS0", 0))
    assert error.value.hint == "apt-get install qemu-system-misc, or: primetime setup --lab"
