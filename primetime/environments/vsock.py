"""The way into a guest by vsock through a unix socket, as Firecracker and cloud-hypervisor offer it.

The host connects and says `CONNECT <port>`; once the guest has accepted, the VMM answers `OK <port>`, and
what follows is the guest's. Source: Firecracker docs/vsock.md (1.16).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.environments.agent import AgentClient, open_agent
from primetime.environments.watching import BootWatch

AGENT_PORT = 1024
GUEST_CID = 3  # the first that is no special one; each VMM's own, so every guest may have it
ANSWER_LIMIT_S = 5.0
LONGEST_ANSWER = 32
RETRY_S = 0.05  # each attempt is an interrupt in the guest, which has better things to do


def try_connect(path: Path, port: int) -> socket.socket | None:
    """Return a stream to `port` in the guest; None while nobody there, or no VMM, accepts."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_LIMIT_S)
    try:
        connection.connect(str(path))
        connection.sendall(f"CONNECT {port}\n".encode())
        if read_line(connection).startswith(b"OK "):
            connection.settimeout(None)
            return connection
    except OSError:
        pass  # not yet: the socket is not there, or the guest has reset the stream
    connection.close()
    return None


def read_line(connection: socket.socket) -> bytes:
    """Read to the end of a line and not a byte beyond; what comes after is the guest's."""
    line = b""
    while not line.endswith(b"\n") and len(line) < LONGEST_ANSWER:
        byte = connection.recv(1)
        if not byte:
            break
        line += byte
    return line


@contextmanager
def open_guest_agent(path: Path, port: int, watch: BootWatch, deadline: float) -> Iterator[AgentClient]:
    """Talk to the agent in a guest that is coming up, from the moment it listens. Raises BootFailed."""
    connections: list[socket.socket] = []

    def connected() -> bool:
        connection = try_connect(path, port)
        if connection is None:
            time.sleep(RETRY_S)
            return False
        connections.append(connection)
        return True

    watch.wait(connected, deadline)
    with open_agent(connections[0]) as agent:
        watch.wait(agent.hello.done, deadline)
        yield agent
