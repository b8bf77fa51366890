"""The host's side of the agent in a guest (images/data/agent.py): requests over a stream socket."""

from __future__ import annotations

import json
import socket
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from primetime.errors import CommandFailed, EnvironmentDied
from primetime.model import Command

Answer = dict[str, Any]
HELLO = 0
CHUNK = 1 << 16


class AgentClient:
    """Requests by several threads may be under way at once; one thread of ours reads the answers."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.lock = threading.Lock()
        self.hello: Future[Answer] = Future()
        self.pending: dict[int, Future[Answer]] = {HELLO: self.hello}
        self.last = HELLO
        self.closed = False
        self.reader = threading.Thread(target=self.read, name="primetime-agent", daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Hand every answer to who waits for it; when the socket closes, nobody waits any longer."""
        received = bytearray()
        try:
            while part := self.connection.recv(CHUNK):
                received += part
                if b"\n" in part:
                    *lines, received = received.split(b"\n")
                    for line in lines:
                        self.deliver(json.loads(line))
        except OSError:
            pass  # the socket was closed under us: the same as its end
        with self.lock:
            self.closed = True
            waiting, self.pending = list(self.pending.values()), {}
        for future in waiting:
            future.set_exception(EnvironmentDied("the guest is gone"))

    def deliver(self, answer: Answer) -> None:
        """Hand over one answer."""
        with self.lock:
            future = self.pending.pop(answer["id"], None)
        if future is not None:
            future.set_result(answer)

    def call(self, operation: str, limit_s: float, **fields: object) -> Answer:
        """Send one request and wait for its answer.

        Raises CommandFailed with the agent's own words, EnvironmentDied when the guest is gone or silent.
        """
        future: Future[Answer] = Future()
        with self.lock:
            if self.closed:
                raise EnvironmentDied("the guest is gone")
            self.last += 1
            identity = self.last
            self.pending[identity] = future
        self.send({"id": identity, "op": operation, **fields})
        answer = self.wait(future, limit_s)
        if not answer["ok"]:
            raise CommandFailed((operation,), 1, str(answer["error"]).encode())
        return answer

    def send(self, request: Answer) -> None:
        """Write one line, whole."""
        line = json.dumps(request).encode() + b"\n"
        try:
            with self.lock:
                self.connection.sendall(line)
        except OSError:
            raise EnvironmentDied("the guest is gone") from None

    def wait(self, future: Future[Answer], limit_s: float) -> Answer:
        """Wait for an answer; a guest that says nothing hangs."""
        try:
            return future.result(limit_s)
        except TimeoutError:
            raise EnvironmentDied(f"the guest has not answered for {limit_s:g} s") from None

    def run(self, command: Command, grace_s: float) -> Answer:
        """Run a program to its end; `grace_s` is what the agent may need beyond the program's own limit."""
        return self.call(
            "run",
            command.timeout_s + grace_s,
            argv=list(command.argv),
            env=dict(command.env),
            stdin=b64encode(command.stdin).decode("ascii"),
            timeout_s=command.timeout_s,
        )

    def files(self, limit_s: float, paths: Sequence[str]) -> dict[str, bytes | None]:
        """Read files: each one's content, None where there is none."""
        answer = self.call("get", limit_s, paths=list(paths))
        return {path: None if text is None else b64decode(text) for path, text in answer["files"].items()}

    def put(self, limit_s: float, path: str, content: bytes) -> None:
        """Write a file."""
        self.call("put", limit_s, path=path, content=b64encode(content).decode("ascii"))


@contextmanager
def open_agent(connection: socket.socket) -> Iterator[AgentClient]:
    """Talk to the agent over a connected socket until the block ends."""
    client = AgentClient(connection)
    try:
        yield client
    finally:
        with suppress(OSError):  # the other end may have been first
            connection.shutdown(socket.SHUT_RDWR)
        client.reader.join()
        connection.close()
