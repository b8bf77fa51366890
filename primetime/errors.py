"""Every exception primetime raises on purpose, drawn once.

PrimetimeError
├── UserError           the user can mend it: one sentence and a hint; exit code 2
├── CommandFailed       a program we started ended badly (argv, exit code, its last words)
├── CommandTimeout      a program we started did not end in time
├── BootFailed          an environment did not come up (the step, the reason, its console); its slot stays open
├── EnvironmentDied     an environment that was up is gone (panic, kill, hang); its slot stays open
├── TrialFailed         one trial gave no figure; the boot goes on
├── Unreachable         a board of the fleet does not answer now; what it measures goes on without us
├── UndoFailed          something could not be put back; the device is broken until `primetime clean` succeeds
└── Interrupted         SIGINT, SIGTERM or SIGHUP arrived; everything is undone; exit code 130

Anything else that escapes is our bug and shows a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class PrimetimeError(Exception):
    """Root of the tree. `message` is one sentence."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UserError(PrimetimeError):
    """Something the user can mend; `hint` says what to type."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class CommandFailed(PrimetimeError):
    """A program exited with a code that was not expected."""

    def __init__(self, argv: Sequence[str], returncode: int, stderr: bytes = b"") -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stderr = stderr
        words = self.last_words()
        said = f": {words}" if words else ""
        super().__init__(f"{self.argv[0]} ended with exit code {returncode}{said} ({' '.join(self.argv)})")

    def last_words(self) -> str:
        """The last line that it said and that holds words."""
        lines = self.stderr.decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if any(map(str.isalpha, line))), "")


class CommandTimeout(PrimetimeError):
    """A program was still running when its time was over; it has been killed. `stdout`, `stderr`: as far as known."""

    def __init__(self, argv: Sequence[str], timeout_s: float, stdout: bytes = b"", stderr: bytes = b"") -> None:
        self.argv = tuple(argv)
        self.timeout_s = timeout_s
        self.stdout = stdout
        self.stderr = stderr
        super().__init__(f"{self.argv[0]} did not end within {timeout_s:g} s ({' '.join(self.argv)})")


class BootFailed(PrimetimeError):
    """An environment did not become ready. `step` names what failed, `console` keeps its last output."""

    def __init__(self, step: str, reason: str, console: bytes = b"") -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason
        self.console = console


class EnvironmentDied(PrimetimeError):
    """A running environment stopped answering. `console` keeps its last output."""

    def __init__(self, reason: str, console: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.console = console


class TrialFailed(PrimetimeError):
    """One trial gave no valid figure; the reason is stored with it."""


class Unreachable(PrimetimeError):
    """ssh could not reach a board, or lost it; trying again later may help."""


class UndoFailed(PrimetimeError):
    """An act could not be undone; what is left stands in the ledger."""


class Interrupted(PrimetimeError):
    """The user or the system asked us to stop; `hint` says how to go on, where there is something to go on with."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
