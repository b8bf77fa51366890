"""Reaching a board: ssh with its own key, checked against its own host key."""

from __future__ import annotations

import socket
import time

from primetime.errors import BootFailed, CommandFailed, CommandTimeout
from primetime.host.process import require_program, run
from primetime.host.ssh_option import quoted
from primetime.lab.board import LOOPBACK, Board
from primetime.lab.emulator import has_ended, running

READY_LIMIT_S = 300.0  # under load a board takes three times as long
PAUSE_S = 0.25
GREETING_LIMIT_S = 10.0
ANSWER_LIMIT_S = 120.0
TAIL_BYTES = 2000
PANIC = b"Kernel panic"


def ssh_argv(board: Board) -> list[str]:
    """Return ssh up to the remote command; nothing of the user's own ssh configuration applies."""
    program = require_program("ssh", "apt-get install openssh-client")
    options = {
        "IdentityFile": quoted(str(board.identity)),
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": quoted(str(board.known_hosts)),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "LogLevel": "ERROR",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return [program, "-F", "none", *words, "-p", str(board.about().port), f"root@{LOOPBACK}"]


def await_board(board: Board, limit_s: float = READY_LIMIT_S) -> float:
    """Wait until the board lets us in; return the seconds it took. Raises BootFailed with its console."""
    t0, refused = time.monotonic(), ""
    with running(board) as emulator:
        while emulator is not None and not has_ended(emulator, PAUSE_S):
            if greets(board.about().port):
                refused = refusal(board)
                if not refused:
                    return time.monotonic() - t0
            if PANIC in console_tail(board):
                raise BootFailed(board.name, "its kernel panicked", console_tail(board))
            if time.monotonic() - t0 > limit_s:
                why = f" ({refused})" if refused else ""
                raise BootFailed(board.name, f"it did not answer within {limit_s:g} s{why}", console_tail(board))
    raise BootFailed(board.name, "its emulator ended", console_tail(board))


def greets(port: int) -> bool:
    """Whether sshd says its name. QEMU accepts connections before the board does, so that alone means nothing."""
    try:
        with socket.create_connection((LOOPBACK, port), GREETING_LIMIT_S) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def refusal(board: Board) -> str:
    """Why no command runs on the board, in ssh's last words; "" when one does."""
    try:
        run([*ssh_argv(board), "true"], timeout_s=ANSWER_LIMIT_S)
    except CommandFailed as error:
        return error.last_words() or "ssh ended without a word"
    except CommandTimeout as error:
        return f"a command did not end within {error.timeout_s:g} s"
    return ""


def console_tail(board: Board) -> bytes:
    """Return the last of what the board said on its console."""
    try:
        return board.console.read_bytes()[-TAIL_BYTES:]
    except OSError:
        return b""
