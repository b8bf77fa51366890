"""Watching a virtual machine come up, and saying how far it came when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from primetime.environments.base import READY_LINE
from primetime.errors import BootFailed

POLL_S = 0.003
NOTICE_S = 2.0
INIT_LINE = b"primetime-init"  # printed by our init in the initrd (images/data/init)
PANIC = "Kernel panic"
TAIL = 64 * 1024
STAGES = (  # (what the console must show, the step that failed while it does not, what that means)
    (b"\n", "guest kernel", "the guest kernel has printed nothing"),
    (INIT_LINE, "guest kernel", "the guest kernel started, but did not come as far as its init"),
    (READY_LINE.encode(), "userland", "the init ran, but the userland's first process did not start"),
)


@dataclass(frozen=True, slots=True)
class BootWatch:
    """A VMM under way. `words`: the files of its own output, the most telling first; `poll`: its exit code,
    None while it runs; `lives_on`: it does not end when its guest's kernel dies."""

    vmm: str
    console: Path
    words: tuple[Path, ...]
    poll: Callable[[], int | None]
    lives_on: bool = False

    def wait_ready(self, sign_deadline: float, deadline: float) -> float:
        """Wait for the first output, then for the first process's stamp; return when that came.

        Times are host CLOCK_MONOTONIC seconds. Raises BootFailed.
        """
        self.wait(lambda: bool(self.tail()), min(sign_deadline, deadline))
        self.wait(lambda: READY_LINE.encode() in self.tail(), deadline)
        return time.monotonic()

    def wait(self, condition: Callable[[], bool], deadline: float) -> None:
        """Wait until `condition` holds. BootFailed when the VMM ends or the deadline passes before."""
        while not condition():
            if self.exited():
                step, meaning = self.stage()
                step = step if self.tail() else self.vmm
                raise BootFailed(step, f"{self.exited()} ({meaning})", self.tail())
            if time.monotonic() > deadline:
                step, meaning = self.stage()
                raise BootFailed(step, f"{meaning} in the time allowed; {self.vmm} still runs", self.tail())
            time.sleep(POLL_S)

    def stage(self) -> tuple[str, str]:
        """Return the step that is under way, and what is known of it."""
        console = self.tail()
        for shown, step, meaning in STAGES:
            if shown not in console:
                return step, meaning
        return "agent", "the userland is up, but the agent does not answer"

    def exited(self) -> str:
        """Say why the VMM has ended, or its guest has; "" while both run."""
        code = self.poll()
        if code is None:
            last_words = panic(self.tail()) if self.lives_on else ""
            return f"the guest of {self.vmm} is dead: {last_words}" if last_words else ""
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        cause = panic(self.tail()) or next(filter(None, map(telling_line, self.words)), "")
        return f"{self.vmm} {how}: {cause}" if cause else f"{self.vmm} {how}"

    def exited_soon(self) -> str:
        """The same for a guest that has just gone silent, which a VMM may notice a moment later."""
        deadline = time.monotonic() + NOTICE_S
        while not self.exited() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return self.exited()

    def tail(self) -> bytes:
        """The console's last 64 KiB."""
        return self.console.read_bytes()[-TAIL:] if self.console.exists() else b""


def panic(console: bytes) -> str:
    """Return the guest kernel's own last words, "" when it said none."""
    for line in console.decode(errors="replace").splitlines():
        if PANIC in line:
            return line[line.index(PANIC) :].strip()
    return ""


def telling_line(path: Path) -> str:
    """Return the first error in a program's output file, else its last line."""
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines() if path.exists() else []
    errors = [line for line in lines if "error:" in line]
    return (errors or lines[-1:] or [""])[0].strip()
