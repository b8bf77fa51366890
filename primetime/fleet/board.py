"""A board in our hands: what it is, what it lacks of ours, and how primetime is started there.

A board needs no package manager and no Python for primetime itself: userland, guest kernel and initrd are built
here for its architecture and pushed as a stream, and where its own Python is missing or older than 3.11 the
userland's interpreter is started through the userland's own loader.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from primetime.errors import CommandFailed, UserError
from primetime.fleet.fleet_file import FleetDevice
from primetime.fleet.pause import Pause
from primetime.fleet.push import clear_parts, push_entry, push_file
from primetime.fleet.ssh import Ssh, destination
from primetime.host.ledger import RUN_DIRECTORY
from primetime.host.routes import CAME_BY
from primetime.images.bundle import write_bundle
from primetime.images.cache import DEFAULT_ROOT, Cache
from primetime.images.file_program import file_program
from primetime.images.guest import GuestImages, build_guest_images
from primetime.images.userland import interpreter

HOME = PurePosixPath("/var/lib/primetime/fleet")
BOARD_CACHE = PurePosixPath(DEFAULT_ROOT)
SUDO = ("sudo", "-n")
OWN_PYTHON = "python3"
PYTHON_TRIAL = "import sys, sqlite3, ctypes, zlib, lzma; sys.exit(sys.version_info < (3, 11))"
PYTHON_FLAGS = ("-I", "-S")  # nothing of the board's own site-packages or environment
NOT_FOUND = 127  # a shell's exit code
PROGRAMS = ("flock", "sha256sum", "mkdir", "dd", "tar", "gzip", "mv", "rm", "sync", "find")
BUSY = 75  # sysexits.h: EX_TEMPFAIL, and no exit code of flock's own

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Board:
    """A connected board. `root`: what comes before a command that needs root; `machine`: as uname says.

    `login_s`: how long connecting took.
    """

    ssh: Ssh
    root: tuple[str, ...]
    machine: str
    login_s: float = 0.0

    def argv(self, argv: Sequence[str]) -> list[str]:
        """A command that runs as root on the board."""
        return [*self.root, *argv]


@contextmanager
def open_board(device: FleetDevice, pause: Pause) -> Iterator[Board]:
    """Connect and look. UserError when we may not be root there or it is measuring; Unreachable; Interrupted."""
    t0 = time.monotonic()
    with Ssh(device, pause=pause).connected() as ssh:
        login_s = time.monotonic() - t0
        machine = ssh.run(["uname", "-m"]).stdout.decode().strip()
        root = () if ssh.run(["id", "-u"]).stdout.strip() == b"0" else (*SUDO, *came_by(ssh))
        board = Board(ssh, root, machine, login_s)
        require_root_there(board)
        require_programs(board)
        require_idle(board)
        yield board


def came_by(ssh: Ssh) -> tuple[str, ...]:
    """What gives a program under sudo the way that we come in by, whose packets it watches: sudo keeps it back."""
    said = ssh.run(["printenv", CAME_BY], check=False).stdout.decode().strip()
    return ("env", f"{CAME_BY}={said}") if said else ()


def require_root_there(board: Board) -> None:
    """UserError when sudo asks for a password, or is not there."""
    code = board.ssh.run(board.argv(["true"]), check=False).returncode if board.root else 0
    who = f"{board.ssh.device.name}: {destination(board.ssh.device)}"
    if code == NOT_FOUND:
        raise UserError(f"{who} is not root, and there is no sudo", 'set user = "root", or install sudo on the board')
    if code != 0:
        hint = 'set user = "root", or let it: NOPASSWD in /etc/sudoers.d on the board'
        raise UserError(f"{who} may not use sudo without a password", hint)


def require_programs(board: Board) -> None:
    """UserError when the board lacks what we put things there with."""
    look = 'for name; do command -v "$name" > /dev/null || echo "$name"; done'
    lacking = board.ssh.run(["sh", "-c", look, "sh", *PROGRAMS]).stdout.decode(errors="replace").split()
    lacking = [name for name in lacking if name in PROGRAMS]  # behind what a login shell may say
    if lacking:
        words = f"{board.ssh.device.name}: the board has no {', no '.join(lacking)}"
        raise UserError(words, "install them there: coreutils, util-linux, findutils, tar, gzip")


def require_idle(board: Board) -> None:
    """UserError while a primetime measures there: what we push would disturb it."""
    lock = f"{RUN_DIRECTORY}/lock"
    argv = ["flock", "--nonblock", "--conflict-exit-code", str(BUSY), lock, "true"]
    if board.ssh.run(board.argv(argv), check=False).returncode == BUSY:
        name = board.ssh.device.name
        raise UserError(
            f"{name}: a primetime is measuring on it", "wait for it, or go on with yours: primetime fleet resume"
        )


def prepare(board: Board, bundle: Path, tell: Tell) -> tuple[str, ...]:
    """Push what the board lacks of ours; return the argv that primetime's verbs are added to there.

    UserError when the images cannot be built here, or the board's architecture has none.
    """

    def told(part: str) -> None:
        board.ssh.pause(0.0)  # a download that was called off ends with its part
        tell(f"finding {part} for {board.machine}")

    images = build_guest_images(Cache(), board.machine, {}, told)
    program = file_program(Cache(), images.architecture)
    there = HOME / f"primetime-{write_bundle(bundle)[:16]}.pyz"
    try:
        board.ssh.run(board.argv(["mkdir", "-p", str(HOME), str(BOARD_CACHE)]))
        clear_parts(board.ssh, board.root, (HOME, BOARD_CACHE))
        for entry in (*entries(images), *([program.parent] if program else [])):  # the userland's name depends on it
            if push_entry(board.ssh, board.root, entry, BOARD_CACHE / entry.name):
                tell(f"pushed {entry.name}")
        if push_file(board.ssh, board.root, bundle, there):
            tell(f"pushed {there.name}")
    except CommandFailed as error:
        words = f"{board.ssh.device.name}: what it lacks of ours cannot be written there: {error.last_words()}"
        raise UserError(
            words, f"make room for it, or make it writable: {HOME} and {BOARD_CACHE} on the board"
        ) from None
    return (*board.root, *python(board, images.userland), *PYTHON_FLAGS, str(there))


def entries(images: GuestImages) -> tuple[Path, ...]:
    """The cache entries that a board needs to build nothing."""
    return images.userland.parent, images.kernel_image.parent, images.initrd.parent


def python(board: Board, tree: Path) -> tuple[str, ...]:
    """The board's own Python where it is new enough and whole, else the userland's through its own loader.

    UserError when neither starts.
    """
    own = (OWN_PYTHON,)
    if starts(board, own):
        return own
    ours = interpreter(tree, BOARD_CACHE / tree.parent.name / tree.name)
    if starts(board, ours):
        return ours
    words = f"{board.ssh.device.name}: neither its own Python (3.11 at least) nor ours starts there"
    raise UserError(words, f"see why: ssh {destination(board.ssh.device)} {' '.join(ours)} --version")


def starts(board: Board, argv: Sequence[str]) -> bool:
    """Whether this Python runs what primetime is made of."""
    try:
        board.ssh.run(board.argv([*argv, *PYTHON_FLAGS, "-c", PYTHON_TRIAL]))
    except CommandFailed:
        return False
    return True
