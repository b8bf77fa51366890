"""ssh's argv, what a remote shell sees, and what is made of ssh's own words."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.errors import CommandFailed, CommandTimeout, Interrupted, Unreachable, UserError
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.pause import Pause
from primetime.fleet.ssh import Ssh, accepting, explained, forgetting, remote_words
from primetime.host.process import find_program
from primetime.host.ssh_option import quoted

PLAIN = FleetDevice("porch", "porch")
FULL = FleetDevice("x86", "127.0.0.1", 40221, "root", "/keys/id", "/keys/known")
needs_ssh = pytest.mark.skipif(find_program("ssh") is None, reason="there is no ssh here")


@needs_ssh
def test_host_keys_are_checked_and_nothing_is_asked() -> None:
    argv = Ssh(PLAIN).argv(["true"])
    assert "StrictHostKeyChecking=yes" in argv
    assert "BatchMode=yes" in argv
    assert argv[-3:] == ["--", "porch", "true"]
    assert "-p" not in argv, "ssh's own configuration decides what the fleet file leaves out"
    assert not any(word.startswith(("IdentityFile", "UserKnownHostsFile")) for word in argv)


@needs_ssh
def test_what_the_fleet_file_says_is_passed_on() -> None:
    argv = Ssh(FULL, control="/run/s").argv(["true"])
    assert argv[argv.index("-p") + 1] == "40221"
    assert argv[argv.index("-S") + 1] == "/run/s"
    assert 'IdentityFile="/keys/id"' in argv
    assert 'UserKnownHostsFile="/keys/known"' in argv
    assert argv[-3:] == ["--", "root@127.0.0.1", "true"]


@needs_ssh
def test_ssh_reads_the_options_as_they_are_meant() -> None:
    """`ssh -G` says what ssh makes of an argv, and connects nowhere."""
    odd = FleetDevice("odd", "127.0.0.1", 40221, "root", "/keys/my id%h", "/keys/known hosts")
    argv = [word for word in Ssh(odd).argv([]) if word]
    said = subprocess.run([argv[0], "-G", "-F", "none", *argv[1:]], capture_output=True, text=True, check=True).stdout
    lines = said.splitlines()
    assert "port 40221" in lines
    assert "user root" in lines
    assert "userknownhostsfile /keys/known hosts" in lines
    assert "stricthostkeychecking true" in lines
    assert any(line.startswith("identityfile /keys/my id%") for line in lines)


@given(st.lists(st.text(st.characters(blacklist_characters="\0", codec="utf-8"), max_size=20), min_size=1, max_size=5))
def test_a_remote_shell_sees_the_argv_as_it_was(argv: list[str]) -> None:
    assert shlex.split(remote_words(argv)) == argv


def test_a_real_shell_sees_it_too() -> None:
    argv = ["printf", "%s|", "a b", "$HOME", "`id`", "'", '"', "; rm x", "*", "\n", ""]
    said = subprocess.run(["sh", "-c", remote_words(argv)], capture_output=True, check=True).stdout
    assert said.decode() == "".join(f"{word}|" for word in argv[2:])


def test_a_path_for_sshs_configuration() -> None:
    assert quoted('/a b/%h"c\\') == '"/a b/%%h\\"c\\\\"'


UNKNOWN = """No ED25519 host key is known for [127.0.0.1]:40221 and you have requested strict checking.
Host key verification failed."""
PERMITTED = """@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
Permissions 0644 for '/keys/id' are too open.
Load key "/keys/id": bad permissions
root@127.0.0.1: Permission denied (publickey)."""
CHANGED = """@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@
Host key for [127.0.0.1]:40221 has changed and you have requested strict checking.
Host key verification failed."""


@pytest.mark.parametrize(
    ("said", "kind", "words", "hint"),
    [
        (UNKNOWN, UserError, "x86: the host key of 127.0.0.1 is not known", accepting(FULL)),
        (CHANGED, UserError, "is not the one that is known", forgetting(FULL)),
        (PERMITTED, UserError, "others may read its key", "chmod 600 /keys/id"),
        (
            "root@127.0.0.1: Permission denied (publickey).",
            UserError,
            "does not let us in",
            "ssh-copy-id -i /keys/id.pub -p 40221",
        ),
        ("ssh: Could not resolve hostname porsch: Name or service not known", UserError, "porsch", "[devices.x86]"),
        ("ssh: connect to host 127.0.0.1 port 40221: Connection refused", Unreachable, "x86 does not answer", ""),
        ("client_loop: send disconnect: Broken pipe", Unreachable, "x86 does not answer", ""),
        ("", Unreachable, "without a word", ""),
    ],
)
def test_what_ssh_says_is_explained(said: str, kind: type[Exception], words: str, hint: str) -> None:
    error = explained(FULL, said)
    assert type(error) is kind
    assert words in error.message
    if isinstance(error, UserError):
        assert hint in error.hint


def test_the_command_that_accepts_a_host_key_is_exact() -> None:
    assert accepting(FULL) == (
        "ssh -o StrictHostKeyChecking=ask -o UserKnownHostsFile=/keys/known -p 40221 -i /keys/id root@127.0.0.1 true"
    )
    assert accepting(PLAIN) == "ssh -o StrictHostKeyChecking=ask porch true"
    assert forgetting(FULL) == "ssh-keygen -f /keys/known -R '[127.0.0.1]:40221'"


class Here(Ssh):
    """A board that is this machine, without ssh."""

    def argv(self, remote: Sequence[str], *more: str) -> list[str]:
        return list(remote)


class Stuck(Ssh):
    """A board that lets us in and starts nothing: its storage is dead."""

    def argv(self, remote: Sequence[str], *more: str) -> list[str]:
        return ["sleep", "600"]


def test_a_board_that_lets_us_in_and_starts_nothing() -> None:
    words = r"porch answers, and starts nothing within 0\.1 s"
    with pytest.raises(Unreachable, match=words), Stuck(PLAIN, hello_s=0.1).connected():
        pass


@pytest.mark.parametrize(
    "act",
    [
        lambda ssh: ssh.run(["true"]),
        lambda ssh: ssh.receive(["true"], io.BytesIO(), lambda: 600.0),
        lambda ssh: ssh.send(["true"], ["true"], 600.0),
        lambda ssh: ssh.connected().__enter__(),
    ],
)
def test_nothing_is_waited_for_once_that_is_called_off(act: Callable[[Ssh], object]) -> None:
    pause = Pause()
    threading.Timer(0.05, pause.called_off.set).start()
    with pytest.raises(Interrupted):
        act(Stuck(PLAIN, pause=pause))


def test_a_talkative_ssh_blocks_nothing() -> None:
    out = io.BytesIO()
    loud = ["sh", "-c", "head -c 300000 /dev/zero >&2; echo ok; head -c 300000 /dev/zero >&2"]
    Here(PLAIN).receive(loud, out, lambda: 30.0)
    assert out.getvalue() == b"ok\n"


def test_a_large_file_goes_through_our_hands(tmp_path: Path) -> None:
    content = os.urandom(1 << 20)
    (tmp_path / "sent").write_bytes(content)
    Here(PLAIN).send(["cat", str(tmp_path / "sent")], ["dd", f"of={tmp_path}/came", "status=none"], 30.0)
    assert (tmp_path / "came").read_bytes() == content
    with pytest.raises(CommandFailed, match="no room"):
        Here(PLAIN).send(
            ["cat", "/dev/zero"], ["sh", "-c", "head -c 100000 > /dev/null; echo no room >&2; exit 2"], 30.0
        )


def test_a_program_on_a_board_reads_and_answers() -> None:
    outcome = Here(PLAIN).run(["cat"], stdin=b"to and fro")
    assert (outcome.returncode, outcome.stdout) == (0, b"to and fro")
    with pytest.raises(CommandFailed, match="no such thing"):
        Here(PLAIN).run(["sh", "-c", "echo no such thing >&2; exit 3"])
    Here(PLAIN).send(["echo", "word"], ["grep", "word"], 30.0)
    with pytest.raises(CommandFailed):
        Here(PLAIN).send(["echo", "word"], ["grep", "other"], 30.0)


ECHO = "import sys\nfor line in sys.stdin:\n print('heard', line.strip(), flush=True)\nprint('the rest')"


def said_twice(to: IO[bytes], answers: IO[bytes]) -> None:
    """Two questions with their answers."""
    for word in (b"one", b"two"):
        to.write(word + b"\n")
        to.flush()
        assert answers.readline() == b"heard " + word + b"\n"


def test_a_talk_comes_before_what_is_received() -> None:
    out = io.BytesIO()
    Here(PLAIN).receive([sys.executable, "-c", ECHO], out, lambda: 30.0, said_twice)
    assert out.getvalue() == b"the rest\n"


def test_a_talk_with_a_program_that_fails_or_hangs() -> None:
    def ask(to: IO[bytes], answers: IO[bytes]) -> None:
        to.write(b"anybody?\n")
        to.flush()
        assert answers.readline() == b""

    with pytest.raises(CommandFailed, match="unknown option"):
        Here(PLAIN).receive(["sh", "-c", "echo unknown option >&2; exit 2"], io.BytesIO(), lambda: 30.0, ask)
    with pytest.raises(CommandTimeout):
        Here(PLAIN).receive(["sleep", "60"], io.BytesIO(), lambda: 0.1, ask)
    with pytest.raises(Unreachable, match="does not answer: cut off"):
        Here(PLAIN).receive(["sh", "-c", "echo cut off >&2; exit 255"], io.BytesIO(), lambda: 30.0, ask)
