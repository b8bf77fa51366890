"""Emulated boards for tests: brought up once a session, gone with all they held when it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from primetime.host.process import run
from primetime.lab import fleet_file, life
from primetime.lab.board import Board
from primetime.lab.profiles import profile
from primetime.lab.reach import ssh_argv

Lend = Callable[[str], AbstractContextManager["Lent"]]
PLACE = "/var/tmp"  # a board wants a disk: /tmp may be memory
COMMAND_LIMIT_S = 300.0


@dataclass(frozen=True)
class Lent:
    """A board that is up, the fleet file that names it, and a way to run a command there."""

    board: Board
    fleet: Path

    def run(self, command: str, stdin: bytes = b"", limit_s: float = COMMAND_LIMIT_S) -> str:
        """Run a shell command on the board; CommandFailed with its words when it fails."""
        argv = [*ssh_argv(self.board), command]
        return run(argv, timeout_s=limit_s, stdin=stdin).stdout.decode(errors="replace")

    def read(self, path: str) -> bytes:
        """A file of the board's."""
        return run([*ssh_argv(self.board), f"cat {path}"], timeout_s=COMMAND_LIMIT_S).stdout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a board; making one needs root, and without it the test is skipped and says why."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.lab)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="boards are made by root"))


@pytest.fixture(scope="session")
def lab_root() -> Iterator[Path]:
    """A lab of this session's own."""
    root = Path(tempfile.mkdtemp(prefix="primetime-test-lab-", dir=PLACE))
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def lend(lab_root: Path) -> Lend:
    """Bring a board up for as long as a `with` block lasts."""

    @contextmanager
    def lent(name: str) -> Iterator[Lent]:
        board, fleet = Board(lab_root, name), lab_root / "fleet.toml"
        life.up(board, profile(name), fresh=False, progress=print)
        fleet_file.add_to_fleet(fleet, name, fleet_file.entry_of(board))
        try:
            yield Lent(board, fleet)
        finally:
            life.down(board, remove=True)

    return lent


@pytest.fixture(scope="session")
def x86_board(lend: Lend) -> Iterator[Lent]:
    with lend("x86") as lent:
        yield lent


@pytest.fixture(scope="session")
def pi4_board(lend: Lend) -> Iterator[Lent]:
    with lend("pi4") as lent:
        yield lent


@pytest.fixture
def lent(request: pytest.FixtureRequest, kind: str) -> Lent:
    """The board that a test's parameter `kind` names."""
    found = request.getfixturevalue(f"{kind}_board")
    assert isinstance(found, Lent)
    return found
