"""The userland on the host's own kernel: a chroot in a private mount namespace.

The namespace lives as long as its holder process; its mounts vanish with it, so a kill -9 leaves no
mount behind, only a process in a cgroup that the ledger knows.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from primetime.environments.base import DATA_DIRECTORY, failing_as
from primetime.errors import CommandTimeout
from primetime.host.process import Placement, Spawning, run, spawn
from primetime.model import Command, Outcome

STEP_LIMIT_S = 30.0
GRACE_S = 10.0  # beyond a command's own limit, for starting and ending it
KILLED = 137  # what `timeout --signal=KILL` ends with


@dataclass(frozen=True, slots=True)
class ChrootPlan:
    """What a chroot consists of. `root`: an empty directory; `namespace`: a named netns or "" for the host's."""

    tree: Path
    root: Path
    data: Path | None
    placement: Placement
    namespace: str = ""


class Chroot:
    """An open chroot."""

    def __init__(self, plan: ChrootPlan, holder: subprocess.Popen[bytes]) -> None:
        self.plan = plan
        self.holder = holder

    def argv(self, argv: tuple[str, ...]) -> list[str]:
        """Return the host's argv that runs `argv` inside."""
        enter = ["nsenter", "--target", str(self.holder.pid), "--mount"]
        if self.plan.namespace:
            enter.append("--net")
        return [*enter, "chroot", str(self.plan.root), *argv]

    def run(self, command: Command) -> Outcome:
        """Run a program inside. Raises CommandTimeout; the program is then dead."""
        spawning = Spawning(env=command.env, placement=self.plan.placement)
        argv = self.argv(limited(command))
        outcome = run(argv, timeout_s=command.timeout_s + GRACE_S, stdin=command.stdin, check=False, spawning=spawning)
        return checked(command, outcome)


def limited(command: Command) -> tuple[str, ...]:
    """Return argv that cannot outlive the command's limit: killing a client would leave the program running."""
    return ("timeout", "--signal=KILL", f"{command.timeout_s:.3f}", *command.argv)


def checked(command: Command, outcome: Outcome) -> Outcome:
    """Raise CommandTimeout when `limited` had to kill the program."""
    if outcome.returncode in (KILLED, -9) and outcome.t1 - outcome.t0 >= command.timeout_s:
        raise CommandTimeout(command.argv, command.timeout_s, outcome.stdout, outcome.stderr)
    return outcome


@contextmanager
def open_chroot(plan: ChrootPlan) -> Iterator[Chroot]:
    """Make the private mount namespace with the read-only userland; BootFailed when that fails."""
    plan.root.mkdir(parents=True, exist_ok=True)
    enter_net = ["nsenter", f"--net=/run/netns/{plan.namespace}"] if plan.namespace else []
    argv = [*enter_net, "unshare", "--mount", "--propagation", "private", "sleep", "infinity"]
    with spawn(argv, Spawning(placement=plan.placement, stop_s=0.0)) as holder:
        with failing_as("private mount namespace"):
            wait_for_own_namespace(holder.pid)
        with failing_as("mounts of the userland"):
            for arguments in mounts(plan):
                mount = ["nsenter", "--target", str(holder.pid), "--mount", "mount", *arguments]
                run(mount, timeout_s=STEP_LIMIT_S)
        yield Chroot(plan, holder)


def wait_for_own_namespace(pid: int) -> None:
    """Wait until `pid` has left our mount namespace: only then may anything be mounted in it."""
    ours = Path("/proc/self/ns/mnt").readlink()
    deadline = time.monotonic() + STEP_LIMIT_S
    while Path(f"/proc/{pid}/ns/mnt").readlink() == ours or Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
        if time.monotonic() > deadline:
            raise CommandTimeout(("unshare", "--mount"), STEP_LIMIT_S)
        time.sleep(0.001)


def mounts(plan: ChrootPlan) -> list[list[str]]:
    """The arguments of each `mount`, in order."""
    root = str(plan.root)
    data = [["--bind", str(plan.data), root + DATA_DIRECTORY]] if plan.data else []
    return [
        ["--bind", str(plan.tree), root],
        ["-o", "remount,bind,ro", root],
        ["-t", "proc", "proc", f"{root}/proc"],
        ["-t", "sysfs", "sysfs", f"{root}/sys"],
        ["--rbind", "/dev", f"{root}/dev"],
        ["-t", "tmpfs", "-o", "size=64m", "tmpfs", f"{root}/tmp"],
        ["-t", "tmpfs", "-o", "size=64m", "tmpfs", f"{root}/run"],
        *data,
    ]
