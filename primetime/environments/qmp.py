"""QEMU's machine protocol: one JSON object a line over a unix socket. Source: QEMU docs/interop/qmp-spec."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from primetime.errors import CommandFailed, CommandTimeout, EnvironmentDied

CONNECT_PAUSE_S = 0.005
REPLY_LIMIT_S = 20.0
Json = Any  # the shape of a reply is its command's


class Qmp:
    """An open monitor. Events are read over."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.lines = connection.makefile("rb")

    def execute(self, command: str, **arguments: object) -> Json:
        """Carry out a command and return what it returns.

        Raises CommandFailed with QEMU's own words, CommandTimeout, EnvironmentDied when QEMU is gone.
        """
        request = {"execute": command, **({"arguments": arguments} if arguments else {})}
        try:
            self.connection.sendall(json.dumps(request).encode() + b"\n")
            while True:
                reply = self.receive()
                if "error" in reply:
                    raise CommandFailed((command,), 1, str(reply["error"]["desc"]).encode())
                if "return" in reply:
                    return reply["return"]
        except TimeoutError:
            raise CommandTimeout((command,), REPLY_LIMIT_S) from None
        except OSError as error:
            raise EnvironmentDied(f"QEMU's monitor is gone: {error.strerror}") from error

    def receive(self) -> dict[str, Any]:
        """Read one message."""
        line = self.lines.readline()
        if not line:
            raise EnvironmentDied("QEMU has closed its monitor")
        message: dict[str, Any] = json.loads(line)
        return message


def connect(path: Path, limit_s: float) -> socket.socket:
    """Connect to a unix socket that is about to be there. Raises CommandTimeout."""
    deadline = time.monotonic() + limit_s
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
        if time.monotonic() > deadline:
            raise CommandTimeout(("connect", str(path)), limit_s)
        time.sleep(CONNECT_PAUSE_S)


@contextmanager
def open_monitor(path: Path) -> Iterator[Qmp]:
    """Connect to QEMU's monitor and leave negotiation mode."""
    connection = connect(path, REPLY_LIMIT_S)
    with connection:
        connection.settimeout(REPLY_LIMIT_S)
        monitor = Qmp(connection)
        with monitor.lines:
            monitor.receive()  # the greeting
            monitor.execute("qmp_capabilities")
            yield monitor
