"""The system's own ssh: a user's configuration, keys, agent and jump hosts simply work.

Host keys are always checked, nothing is ever asked for, and every command is an argv: the one string that a
remote shell must see is made in `remote_words`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from primetime.errors import CommandFailed, CommandTimeout, Unreachable, UserError
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.pause import Pause
from primetime.host.process import Spawning, require_program, spawn
from primetime.host.ssh_option import quoted
from primetime.model import Outcome

SSH_FAILED = 255
CONNECT_S = 30
ALIVE_S, ALIVE_COUNT = 15, 4
LIMIT_S = 120.0
ENDING_S = 60.0  # of a program here whose words have all been read
PASSED_ON = ("HOME", "USER", "LOGNAME", "PATH", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR")
COMPRESSED = "-C"  # a campaign becomes a quarter (10.6 MB: 2.7): boards hang on slow lines, and a visit has its limit
OPTIONS = (
    "BatchMode=yes", "StrictHostKeyChecking=yes", "RequestTTY=no", "ClearAllForwardings=yes", "ForwardAgent=no",
    "ForwardX11=no", "PermitLocalCommand=no", "ControlMaster=no", f"ConnectTimeout={CONNECT_S}",
    f"ServerAliveInterval={ALIVE_S}", f"ServerAliveCountMax={ALIVE_COUNT}",
)  # fmt: skip
HELLO = b"primetime\n"
Talk = Callable[[IO[bytes], IO[bytes]], None]  # what goes to a program on a board, and what comes from it


@dataclass(frozen=True, slots=True)
class Ssh:
    """A way to a board. `control`: the socket of a connection that is open; "" makes one per command.

    `pause`: when that is called off, nothing is waited for any more; `hello_s`: how long logging in and
    a first command may take.
    """

    device: FleetDevice
    control: str = ""
    pause: Pause = field(default_factory=Pause)
    hello_s: float = LIMIT_S

    def argv(self, remote: Sequence[str], *more: str) -> list[str]:
        """Return the argv of this machine that runs `remote` on the board."""
        device = self.device
        options = [word for option in (*OPTIONS, *own_options(device)) for word in ("-o", option)]
        port = ["-p", str(device.port)] if device.port else []
        control = ["-S", self.control] if self.control else ["-S", "none"]
        program = require_program("ssh", "apt-get install openssh-client")
        return [program, *options, *port, *control, *more, "--", destination(device), remote_words(remote)]

    def run(
        self, remote: Sequence[str], *, timeout_s: float = LIMIT_S, stdin: bytes = b"", check: bool = True
    ) -> Outcome:
        """Run a program on the board to its end.

        Raises CommandFailed (with `check`), CommandTimeout, Interrupted, and what `explained` makes of a failure of ssh
        itself.
        """
        pipe = subprocess.PIPE
        how = replace(spawning(), stdin=pipe if stdin else subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        t0 = time.monotonic()
        with spawn(self.argv(remote), how) as child, self.pause.watching(child, remote, lambda: timeout_s):
            stdout, stderr = child.communicate(stdin)
        self.judge(remote, child.returncode, stderr, check)
        return Outcome(child.returncode, stdout, stderr, t0, time.monotonic())

    def receive(
        self, remote: Sequence[str], out: IO[bytes], limit_s: Callable[[], float], talk: Talk | None = None
    ) -> None:
        """Run a program on the board and write what it says to a file. `limit_s`: seconds, asked again and again.

        `talk` comes first; then the program hears no more. Raises as `run` does.
        """
        stdin = subprocess.PIPE if talk else subprocess.DEVNULL
        how = replace(spawning(), stdin=stdin, stdout=subprocess.PIPE)
        with self.judged(remote, how, limit_s, COMPRESSED) as child:
            assert child.stdout is not None
            if talk:
                assert child.stdin is not None
                with suppress(BrokenPipeError):  # what went wrong is judged
                    talk(child.stdin, child.stdout)
                    child.stdin.close()
            shutil.copyfileobj(child.stdout, out)
            out.flush()
            wait_for_end(child, remote)

    def send(self, source: Sequence[str], remote: Sequence[str], timeout_s: float) -> None:
        """Run a program here and one on the board that reads what it says. Raises as `run` does.

        It goes through our hands, so that both programs come to an end with us, however that is.
        """
        with spawn(source, Spawning(stdout=subprocess.PIPE)) as sender:
            assert sender.stdout is not None
            how = replace(spawning(), stdin=subprocess.PIPE)
            with self.judged(remote, how, lambda: timeout_s) as child:
                assert child.stdin is not None
                with suppress(BrokenPipeError):  # what went wrong is judged
                    shutil.copyfileobj(sender.stdout, child.stdin)
                    child.stdin.close()
                child.wait()
            wait_for_end(sender, source)
        if sender.returncode != 0:
            raise CommandFailed(source, sender.returncode)

    @contextmanager
    def judged(
        self, remote: Sequence[str], how: Spawning, limit_s: Callable[[], float], *more: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program on the board that the block sees to its end. Raises as `run` does."""
        with tempfile.TemporaryFile() as said:  # no pipe: nobody reads it before stdout has ended
            with (
                spawn(self.argv(remote, *more), replace(how, stderr=said)) as child,
                self.pause.watching(child, remote, limit_s),
            ):
                yield child
            said.seek(0)
            self.judge(remote, child.returncode, said.read(), check=True)

    def judge(self, remote: Sequence[str], returncode: int, stderr: bytes, check: bool) -> None:
        """Raise for a program that failed, or a connection that did."""
        if returncode == SSH_FAILED:
            raise explained(self.device, stderr.decode(errors="replace"))
        if check and returncode != 0:
            raise CommandFailed(remote, returncode, stderr)

    @contextmanager
    def connected(self) -> Iterator[Ssh]:
        """Keep one connection open for the commands of the block; it cannot outlive this process.

        Its far end is a `cat`, which ends when our pipe to it does: on leaving, and on any death of ours.
        """
        with tempfile.TemporaryDirectory(prefix="primetime-ssh-") as directory:
            master = replace(self, control=str(Path(directory, "s")))
            how = replace(spawning(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            with spawn(master.argv(("cat",), "-M"), how) as child:
                assert child.stdin is not None
                assert child.stdout is not None
                assert child.stderr is not None
                try:
                    with self.pause.watching(child, ("cat",), lambda: self.hello_s):
                        with suppress(BrokenPipeError):  # what went wrong stands in stderr
                            child.stdin.write(HELLO)
                            child.stdin.flush()
                        greeted = HELLO in iter(child.stdout.readline, b"")  # a login shell may say something first
                except CommandTimeout:  # sshd lives, where storage is dead or memory has gone
                    words = f"{self.device.name} answers, and starts nothing within {self.hello_s:g} s"
                    raise Unreachable(words) from None
                if not greeted:
                    raise explained(self.device, child.stderr.read().decode(errors="replace"))
                yield master


def wait_for_end(child: subprocess.Popen[bytes], argv: Sequence[str]) -> None:
    """Wait for a child whose words have all been read. CommandTimeout."""
    try:
        child.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        raise CommandTimeout(argv, ENDING_S) from None


def remote_words(argv: Sequence[str]) -> str:
    """Quote an argv for the remote user's shell, which ssh cannot go round. The one place with a shell string."""
    return shlex.join(argv)


def spawning() -> Spawning:
    """What ssh needs of the user's environment: keys, agent, configuration."""
    return Spawning(env={name: os.environ[name] for name in PASSED_ON if name in os.environ})


def own_options(device: FleetDevice) -> Iterator[str]:
    """What the fleet file says, as options of ssh."""
    if device.identity:
        yield f"IdentityFile={quoted(device.identity)}"
        yield "IdentitiesOnly=yes"
    if device.known_hosts:
        yield f"UserKnownHostsFile={quoted(device.known_hosts)}"


def destination(device: FleetDevice) -> str:
    """user@address, or what ssh's own configuration makes of the address."""
    return f"{device.user}@{device.address}" if device.user else device.address


def explained(device: FleetDevice, said: str) -> UserError | Unreachable:
    """Say what a failure of ssh means, and what to type: UserError, or Unreachable where time may mend it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else "ssh ended without a word"
    name = device.name
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        words = f"{name}: the host key of {device.address} is not the one that is known: another machine answers"
        return UserError(words, f"if you know why: {forgetting(device)}, then: {accepting(device)}")
    if "Host key verification failed" in said or "host key is known for" in said:
        words = f"{name}: the host key of {device.address} is not known"
        return UserError(words, f"compare and accept it: {accepting(device)}")
    if "UNPROTECTED PRIVATE KEY" in said or "bad permissions" in said:
        return UserError(f"{name}: others may read its key", f"chmod 600 {device.identity or 'the key that ssh names'}")
    if "Bad configuration option" in said:
        return UserError(f"{name}: {last}", "mend ssh's configuration")
    if "Permission denied" in said or "Too many authentication failures" in said:
        words = f"{name}: {device.address} does not let us in ({last})"
        key = f"-i {shlex.quote(device.identity)}.pub " if device.identity else ""
        return UserError(
            words, f"put your public key there: ssh-copy-id {key}{port_words(device)}{destination(device)}"
        )
    if "Could not resolve hostname" in said:
        return UserError(f"{name}: {last}", f"correct the address of [devices.{name}]")
    return Unreachable(f"{name} does not answer: {last}")


def accepting(device: FleetDevice) -> str:
    """The command that shows a host key and asks whether to trust it."""
    file = ["-o", f"UserKnownHostsFile={device.known_hosts}"] if device.known_hosts else []
    port = ["-p", str(device.port)] if device.port else []
    identity = ["-i", device.identity] if device.identity else []
    return shlex.join(["ssh", "-o", "StrictHostKeyChecking=ask", *file, *port, *identity, destination(device), "true"])


def forgetting(device: FleetDevice) -> str:
    """The command that forgets a host key."""
    host = f"[{device.address}]:{device.port}" if device.port not in (0, 22) else device.address
    return shlex.join(["ssh-keygen", *(["-f", device.known_hosts] if device.known_hosts else []), "-R", host])


def port_words(device: FleetDevice) -> str:
    """ "-p 2222 ", or nothing."""
    return f"-p {device.port} " if device.port else ""
