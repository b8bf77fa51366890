"""The two sockets of a microVM, with real peers: HTTP for its control, CONNECT for the guest's agent."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from primetime.environments.http_socket import Control
from primetime.environments.vsock import open_guest_agent, try_connect
from primetime.environments.watching import BootWatch
from primetime.errors import BootFailed, CommandFailed, CommandTimeout, EnvironmentDied

FAULT = b'{"fault_message":"The requested operation is not supported before starting the microVM."}'


@contextmanager
def listening(path: Path, answer: Callable[[socket.socket], None], times: int = 1) -> Iterator[None]:
    """Accept so many connections and let `answer` have each."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        for _ in range(times):
            connection, _ = listener.accept()
            with connection:
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        listener.close()


def http(status: str, body: bytes, asked: list[bytes]) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        asked.append(request_of(connection))
        head = f"HTTP/1.1 {status}\r\nServer: Firecracker API\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)

    return answer


def request_of(connection: socket.socket) -> bytes:
    """Read one request, its body included."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(4096)
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < int(lengths[0] if lengths else 0):
        body += connection.recv(4096)
    return head + b"\r\n\r\n" + body


def test_a_request_and_its_reply(tmp_path: Path) -> None:
    asked: list[bytes] = []
    with listening(tmp_path / "s", http("200 OK", b'{"vcpu_count":2}', asked)):
        assert Control("Firecracker", tmp_path / "s").request("GET", "/machine-config") == {"vcpu_count": 2}
    assert asked[0].startswith(b"GET /machine-config HTTP/1.1\r\n")


def test_an_order_without_a_reply(tmp_path: Path) -> None:
    asked: list[bytes] = []
    with listening(tmp_path / "s", http("204 No Content", b"", asked)):
        control = Control("Firecracker", tmp_path / "s")
        assert control.request("PUT", "/actions", {"action_type": "FlushMetrics"}) is None
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    assert json.loads(body) == {"action_type": "FlushMetrics"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (FAULT, "not supported before starting"),
        (b'["VM is not booted","Error: 1"]', "VM is not booted; Error: 1"),
        (b"plain words", "plain words"),
    ],
)
def test_a_refusal_keeps_the_vmms_own_words(tmp_path: Path, body: bytes, words: str) -> None:
    with (
        listening(tmp_path / "s", http("400 Bad Request", body, [])),
        pytest.raises(CommandFailed, match=words) as caught,
    ):
        Control("it", tmp_path / "s").request("GET", "/")
    assert caught.value.returncode == 400


def test_nobody_there_and_somebody_who_goes_away(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentDied, match="Firecracker's control socket does not answer"):
        Control("Firecracker", tmp_path / "absent").request("GET", "/")
    with listening(tmp_path / "s", lambda connection: None), pytest.raises(EnvironmentDied):
        Control("Firecracker", tmp_path / "s").request("GET", "/")


def test_silence_is_a_timeout(tmp_path: Path) -> None:
    done = threading.Event()
    with listening(tmp_path / "s", lambda connection: done.wait(5) and None):
        with pytest.raises(CommandTimeout):
            Control("Firecracker", tmp_path / "s", limit_s=0.05).request("GET", "/")
        done.set()


def guest(connection: socket.socket) -> None:
    """A VMM that connects at once, and a guest whose first words come in the same packet."""
    assert connection.recv(64) == b"CONNECT 1024\n"
    connection.sendall(b'OK 1073741824\n{"id": 0, "ok": true, "mono": 1.0, "real": 2.0, "hello": 1}\n')
    connection.recv(64)  # until the other end closes


def refused_then_accepted() -> Callable[[socket.socket], None]:
    seen: list[int] = []

    def answer(connection: socket.socket) -> None:
        seen.append(1)
        if len(seen) > 1:  # the guest did not listen yet the first time: the stream ends
            guest(connection)

    return answer


def watch(path: Path, code: int | None = None) -> BootWatch:
    return BootWatch("Firecracker", path / "console", (path / "log",), lambda: code)


def test_the_agent_is_reached_once_the_guest_listens(tmp_path: Path) -> None:
    with (
        listening(tmp_path / "v", refused_then_accepted(), times=2),
        open_guest_agent(tmp_path / "v", 1024, watch(tmp_path), 1e12) as agent,
    ):
        assert agent.hello.result(1)["hello"] == 1


def test_a_vmm_that_has_no_socket_yet_is_no_error(tmp_path: Path) -> None:
    assert try_connect(tmp_path / "absent", 1024) is None


def test_a_vmm_that_ends_meanwhile_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("[b1:main:ERROR] RunWithApiError error: no KVM\n")
    (tmp_path / "console").write_text("primetime-ready\n")
    with (
        pytest.raises(BootFailed, match=r"Firecracker ended with exit code 1: .*no KVM"),
        open_guest_agent(tmp_path / "absent", 1024, watch(tmp_path, 1), 1e12),
    ):
        pass


def test_a_guest_that_dies_under_a_vmm_that_lives_on(tmp_path: Path) -> None:
    console = tmp_path / "console"
    console.write_text("[    1.0] Kernel panic - not syncing: Attempted to kill init!\n")
    dead = BootWatch("cloud-hypervisor", console, (), lambda: None, lives_on=True)
    with pytest.raises(BootFailed, match="the guest of cloud-hypervisor is dead: Kernel panic"):
        dead.wait_ready(1e12, 1e12)
    assert watch(tmp_path).exited() == "", "Firecracker is about to end, and says why then"
