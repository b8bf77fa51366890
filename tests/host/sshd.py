"""A real sshd of our own on 127.0.0.1, with its own keys: this machine as a board of a fleet."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from primetime.host.process import Spawning, find_program, run, spawn

CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/client_key.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
MaxStartups 50
"""
PRIVILEGE_SEPARATION = Path("/run/sshd")
START_LIMIT_S = 20.0


@dataclass(frozen=True)
class Server:
    """Where it is and how to get in. `known_hosts` knows its host key."""

    directory: Path
    port: int

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def identity(self) -> Path:
        return self.directory / "client_key"

    def table(self, name: str, volume: Path) -> str:
        """Its table in a fleet file."""
        return (
            f'[devices.{name}]\naddress = "127.0.0.1"\nport = {self.port}\nuser = "root"\n'
            f'identity = "{self.identity}"\nknown_hosts = "{self.known_hosts}"\nvolume = "{volume}"\n'
        )


def missing() -> str:
    """Why there can be no sshd here; "" when there can."""
    lacking = [name for name in ("sshd", "ssh", "ssh-keygen") if find_program(name) is None]
    if lacking:
        return f"{lacking[0]} is not installed: apt-get install openssh-server openssh-client"
    return "" if os.geteuid() == 0 else "an sshd of our own needs root"


def prepared(directory: Path) -> Server:
    """Make keys and configuration."""
    for name in ("host_key", "client_key"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], timeout_s=30)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = Server(directory, probe.getsockname()[1])
    kind, key = (directory / "host_key.pub").read_text().split()[:2]
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {kind} {key}\n")
    (directory / "sshd_config").write_text(CONFIG.format(port=server.port, directory=directory))
    return server


@contextmanager
def serving(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """Run it; leaving the block ends it with all its connections."""
    PRIVILEGE_SEPARATION.mkdir(exist_ok=True)
    log = server.directory / "sshd.log"
    argv = ["/usr/sbin/sshd", "-D", "-f", str(server.directory / "sshd_config"), "-E", str(log)]
    with spawn(argv, Spawning()) as child:
        deadline = time.monotonic() + START_LIMIT_S
        while not listening(server.port):
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield child


def listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
