"""The one subprocess door: argv lists, an explicit small environment, always waited for.

`run` for programs that end by themselves, `spawn` for programs that live as long as a `with` block.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from primetime.errors import CommandFailed, CommandTimeout, UserError
from primetime.model import Outcome

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASE_ENVIRONMENT = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": "/root", "TERM": "dumb"}
PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")  # a user's way to the network


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a child starts: open descriptors of `cgroup.procs` files, and the CPUs it may use."""

    cgroup_fds: tuple[int, ...] = ()
    cpus: frozenset[int] = frozenset()

    def enter(self) -> None:
        """Move the calling process (a child between fork and exec) there."""
        for fd in self.cgroup_fds:
            os.write(fd, b"0")
        if self.cpus:
            os.sched_setaffinity(0, self.cpus)


@dataclass(frozen=True, slots=True)
class Spawning:
    """How to start a program; one value instead of many parameters."""

    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | Path = "/"
    placement: Placement = Placement()
    pass_fds: tuple[int, ...] = ()
    stdin: IO[Any] | int = subprocess.DEVNULL
    stdout: IO[Any] | int = subprocess.DEVNULL
    stderr: IO[Any] | int = subprocess.DEVNULL
    stop_s: float = 10.0  # between SIGTERM and SIGKILL


def find_program(name: str) -> str | None:
    """Return the absolute path of a program of this host, or None."""
    return shutil.which(name, path=SEARCH_PATH)


def require_program(name: str, hint: str) -> str:
    """Return the program's absolute path; UserError with `hint` when it is missing."""
    path = find_program(name)
    if path is None:
        raise UserError(f"the program {name} is not installed", hint)
    return path


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Build a child's whole environment: ours, what leads to the network, and `extra`."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**BASE_ENVIRONMENT, **passed, **extra}


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    stdin: bytes = b"",
    check: bool = True,
    spawning: Spawning | None = None,
) -> Outcome:
    """Run a program to its end and return what it gave.

    Raises CommandFailed (with `check`, exit code not 0), CommandTimeout (it was killed with its whole
    process group), UserError (the program is missing).
    """
    pipe = subprocess.PIPE
    given = pipe if stdin else subprocess.DEVNULL  # an end that is there from the start, whenever it is looked for
    how = replace(spawning or Spawning(), stdin=given, stdout=pipe, stderr=pipe)
    t0 = time.monotonic()
    with spawn(argv, how) as child:
        try:
            stdout, stderr = child.communicate(stdin, timeout=timeout_s)
        except subprocess.TimeoutExpired as late:
            raise CommandTimeout(argv, timeout_s, late.output or b"", late.stderr or b"") from None
        t1 = time.monotonic()
    if check and child.returncode != 0:
        raise CommandFailed(argv, child.returncode, stderr or stdout)
    return Outcome(child.returncode, stdout, stderr, t0, t1)


@contextmanager
def spawn(argv: Sequence[str], spawning: Spawning) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program that lives inside the `with` block; leaving it ends and reaps the program."""
    child = _start(argv, spawning)
    try:
        yield child
    finally:
        _end(child, spawning.stop_s)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):  # what it did not read any more is lost with it
                    stream.close()


def _start(argv: Sequence[str], how: Spawning) -> subprocess.Popen[bytes]:
    placed = bool(how.placement.cgroup_fds or how.placement.cpus)
    try:
        return subprocess.Popen(
            list(argv),
            stdin=how.stdin,
            stdout=how.stdout,
            stderr=how.stderr,
            env=environment(how.env),
            cwd=how.cwd,
            pass_fds=how.pass_fds,
            start_new_session=True,  # a terminal's Ctrl-C reaches us alone; we undo in order
            preexec_fn=how.placement.enter if placed else None,
        )
    except FileNotFoundError:
        raise UserError(f"the program {argv[0]} is not installed", "primetime doctor says what installs it") from None


def _end(child: subprocess.Popen[bytes], stop_s: float) -> None:
    """End a child's whole process group: SIGTERM, wait, SIGKILL, always reaped."""
    if child.poll() is None:
        _signal_group(child, signal.SIGTERM)
        try:
            child.wait(stop_s)
        except subprocess.TimeoutExpired:
            _signal_group(child, signal.SIGKILL)
            child.wait()
    _signal_group(child, signal.SIGKILL)  # stragglers of the group, if any


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """End a child's whole process group at once; leaving the block of `spawn` reaps it."""
    _signal_group(child, signal.SIGKILL)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # the group is gone already
