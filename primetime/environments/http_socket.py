"""A VMM's control interface: HTTP with JSON over a unix socket, one connection a request."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from primetime.errors import CommandFailed, CommandTimeout, EnvironmentDied

REPLY_LIMIT_S = 20.0
ERROR_KEYS = ("fault_message", "error")  # Firecracker's; cloud-hypervisor sends a list or plain text
Json = Any  # the shape of a reply is its request's


class UnixHttp(HTTPConnection):
    """HTTP whose other end is a socket in the file system."""

    def __init__(self, path: Path, limit_s: float) -> None:
        super().__init__("localhost", timeout=limit_s)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Control:
    """The control socket of a running VMM. `vmm`: its name, for complaints."""

    def __init__(self, vmm: str, path: Path, limit_s: float = REPLY_LIMIT_S) -> None:
        self.vmm = vmm
        self.path = path
        self.limit_s = limit_s

    def request(self, method: str, resource: str, body: Json = None) -> Json:
        """Send one request and return what its reply holds, None when that is empty.

        Raises CommandFailed with the VMM's own words, CommandTimeout, EnvironmentDied when nobody answers.
        """
        connection = UnixHttp(self.path, self.limit_s)
        content = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", **({} if content is None else {"Content-Type": "application/json"})}
        try:
            connection.request(method, resource, content, headers)
            reply = connection.getresponse()
            status, text = reply.status, reply.read()
        except TimeoutError:
            raise CommandTimeout((method, resource), self.limit_s) from None
        except (OSError, HTTPException) as error:
            raise EnvironmentDied(f"{self.vmm}'s control socket does not answer: {error}") from error
        finally:
            connection.close()
        if status >= 400:
            raise CommandFailed((method, resource), status, complaint(text))
        return json.loads(text) if text.strip() else None


def complaint(text: bytes) -> bytes:
    """Return the sentence in an error's body, which is JSON for one VMM and plain text for another."""
    try:
        said = json.loads(text)
    except ValueError:
        return text
    if isinstance(said, dict):
        said = next((said[key] for key in ERROR_KEYS if key in said), said)
    lines = said if isinstance(said, list) else [said]
    return "; ".join(str(line) for line in lines).encode()
