"""The agent, really run as a process and talked to by the host's own client."""

from __future__ import annotations

import base64
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from primetime.environments.agent import AgentClient, open_agent
from primetime.errors import CommandFailed, EnvironmentDied
from primetime.host.process import Spawning, spawn
from primetime.model import Command

ROOT = Path(__file__).parents[3]
SERVE = """
import os, sys
from primetime.images.data.agent import Agent
channel = int(sys.argv[1])
os.set_inheritable(channel, False)  # as a port that the agent opened itself
Agent(channel).serve()
"""


@pytest.fixture
def agent() -> Iterator[AgentClient]:
    ours, theirs = socket.socketpair()
    descriptor = theirs.fileno()
    how = Spawning(cwd=ROOT, pass_fds=(descriptor,), stop_s=0.0)
    with spawn([sys.executable, "-c", SERVE, str(descriptor)], how), open_agent(ours) as client:
        theirs.close()
        assert client.hello.result(10)["ok"]
        yield client


def output(answer: dict[str, object], name: str) -> bytes:
    return base64.b64decode(str(answer[name]))


def run(agent: AgentClient, *argv: str, stdin: bytes = b"", timeout_s: float = 10.0) -> dict[str, object]:
    return agent.run(Command(argv, timeout_s, stdin), 10.0)


def test_bytes_go_through_unharmed(agent: AgentClient) -> None:
    content = os.urandom(300_000)
    answer = run(agent, "cat", stdin=content)
    assert output(answer, "stdout") == content
    assert answer["rc"] == 0


def test_exit_codes_and_streams(agent: AgentClient) -> None:
    answer = run(agent, "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (answer["rc"], output(answer, "stdout"), output(answer, "stderr")) == (5, b"out\n", b"err\n")
    assert run(agent, "sh", "-c", "kill -KILL $$")["rc"] == -9
    assert run(agent, "/nonexistent/program")["rc"] == 127
    assert run(agent, "/etc/passwd")["rc"] == 126


def test_a_program_that_does_not_read_its_stdin(agent: AgentClient) -> None:
    assert run(agent, "true", stdin=bytes(1_000_000))["rc"] == 0


def lives(pid: int) -> bool:
    """Whether a process still is more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_whole_group_is_killed_when_time_is_over(agent: AgentClient) -> None:
    answer = run(agent, "sh", "-c", "sleep 1000 & echo $!; wait", timeout_s=0.1)
    assert answer["timed_out"] is True
    pid = int(output(answer, "stdout"))
    deadline = time.monotonic() + 10  # a busy machine takes its time to carry a SIGKILL out
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not lives(pid)


def test_what_a_program_leaves_behind_does_not_hold_its_answer(agent: AgentClient) -> None:
    answer = run(agent, "sh", "-c", "echo said; sleep 1000 &")
    assert (answer["rc"], output(answer, "stdout"), answer["timed_out"]) == (0, b"said\n", False)


def test_several_programs_at_once(agent: AgentClient, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    answers: list[dict[str, object]] = []
    reader = threading.Thread(target=lambda: answers.append(run(agent, "cat", str(fifo))))
    reader.start()
    assert run(agent, "sh", "-c", f"echo met > {fifo}")["rc"] == 0
    reader.join(10)
    assert output(answers[0], "stdout") == b"met\n"


def test_a_server_is_started_and_stopped(agent: AgentClient) -> None:
    started = agent.call("start", 10.0, argv=["sleep", "1000"])
    assert Path(f"/proc/{started['pid']}").exists()
    assert agent.call("stop", 10.0, pid=started["pid"])["rc"] == -9


def test_files(agent: AgentClient, tmp_path: Path) -> None:
    agent.put(10.0, str(tmp_path / "file"), b"\x00content\n")
    found = agent.files(10.0, (str(tmp_path / "file"), "/nonexistent"))
    assert found == {str(tmp_path / "file"): b"\x00content\n", "/nonexistent": None}
    with pytest.raises(CommandFailed, match="No such file"):
        agent.put(10.0, "/nonexistent/file", b"")


def test_errors_of_a_request_do_not_end_the_agent(agent: AgentClient) -> None:
    for operation in ("no such operation", "stop", "put"):
        with pytest.raises(CommandFailed):
            agent.call(operation, 10.0)
    assert run(agent, "true")["rc"] == 0


def test_every_answer_carries_the_guests_clocks(agent: AgentClient) -> None:
    first, second = (agent.call("get", 10.0, paths=[]) for _ in range(2))
    assert second["mono"] >= first["mono"]


def test_an_agent_that_is_gone_is_noticed(agent: AgentClient) -> None:
    pid = agent.hello.result(1)["hello"]
    with pytest.raises(EnvironmentDied):
        run(agent, "sh", "-c", f"kill -KILL {pid}; sleep 10")
    with pytest.raises(EnvironmentDied):
        run(agent, "true")
