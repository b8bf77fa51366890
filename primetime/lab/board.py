"""A board: one directory with its disk, keys, port and, while it runs, its emulator. One lock each."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shlex
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from primetime.errors import UserError
from primetime.host.process import require_program, run
from primetime.images import cpio
from primetime.lab.image import Parts, recipe
from primetime.lab.profiles import Profile

DEFAULT_ROOT = "/var/lib/primetime/lab"
ROOT_VARIABLE = "PRIMETIME_LAB"
VOLUME = "/var/lib/primetime/volume"  # on the board: the storage under test
PORTS = range(20000, 30000)  # below the ports that Linux gives to outgoing connections
PORT_TRIES = 100
KEY_LIMIT_S = 60.0
COPY_LIMIT_S = 600.0
RESERVE = 2 << 30  # for what will be written on the board
ABOUT = "board.json"
FILES = ("disk.img", "kernel", "initrd.img", "id_ed25519", "known_hosts")  # without one of them it cannot start
MOST_PORT = 65535
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class About:
    """What a board is from its making on. `recipe`: what its disk was made from, as a hash."""

    profile: str
    port: int
    recipe: str


class Board:
    """The directory of one board, which need not exist yet."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.directory = root / name

    @property
    def disk(self) -> Path:
        """Its only disk, a sparse raw file."""
        return self.directory / "disk.img"

    @property
    def identity(self) -> Path:
        """The private key that opens it."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Its host key, as ssh wants it."""
        return self.directory / "known_hosts"

    @property
    def console(self) -> Path:
        """What its kernel and init said since it was last started."""
        return self.directory / "console"

    @property
    def pid_file(self) -> Path:
        """QEMU writes and locks it."""
        return self.directory / "qemu.pid"

    @property
    def exists(self) -> bool:
        """Whether it was made: the directory is renamed into place when everything is in it."""
        return (self.directory / ABOUT).is_file()

    @property
    def gone(self) -> Path:
        """What its directory is called while it is removed."""
        return self.root / f"{self.name}.gone"

    @property
    def has_traces(self) -> bool:
        """Whether its directory is a board's, damaged perhaps, and not somebody's own of the same name."""
        return any((self.directory / name).exists() for name in (ABOUT, *FILES))

    @property
    def is_whole(self) -> bool:
        """Whether it can be started, as far as can be seen."""
        try:
            self.about()
        except UserError:
            return False
        return all((self.directory / name).is_file() for name in FILES)

    def typed(self, act: str, *options: str) -> str:
        """What to type for an act on this board; it says where the boards lie when they lie elsewhere."""
        return shlex.join(["primetime", "lab", act, *options, *elsewhere(self.root), self.name])

    def damaged(self) -> UserError:
        """What to say of one that cannot be started any more."""
        return UserError(f"the board {self.name} in {self.directory} is damaged", self.typed("up", "--fresh"))

    def of_another(self) -> UserError:
        """What to say to a user who may not touch it."""
        return UserError(f"the board {self.name} belongs to another user", "run: sudo primetime lab …")

    def about(self) -> About:
        """Read what it is. UserError when that cannot be read (this host lost its own power, say)."""
        try:
            found = json.loads((self.directory / ABOUT).read_text(encoding="utf-8"))
            about = About(str(found["profile"]), found["port"], str(found.get("recipe", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self.damaged() from None
        if type(about.port) is not int or not 0 < about.port <= MOST_PORT:
            raise self.damaged()
        return about

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One verb at a time acts on a board; the kernel frees the lock on any death. UserError when it is busy."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o755)
            lock = (self.root / f"{self.name}.lock").open("ab")
        except OSError as error:
            raise UserError(
                f"the lab's directory {self.root} cannot be written: {error.strerror}",
                f"run as root, or name another directory: export {ROOT_VARIABLE}=DIRECTORY",
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                listing = shlex.join(["primetime", "lab", "list", *elsewhere(self.root)])
                raise UserError(
                    f"another primetime lab is busy with {self.name}", f"wait for it, see: {listing}"
                ) from None
            yield

    def make(self, profile: Profile, parts: Parts) -> None:
        """Copy the parts, make keys and choose a port. UserError without room."""
        part = self.root / f"{self.name}.part"
        for half in (part, self.gone):  # of a maker or a remover that was killed
            shutil.rmtree(half, ignore_errors=True)
        check_room(self.root, parts.disk)
        part.mkdir(mode=0o755)
        try:
            self._fill(part, profile, parts)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        part.rename(self.directory)

    def _fill(self, part: Path, profile: Profile, parts: Parts) -> None:
        port = free_port()
        run(
            ["cp", "--sparse=always", "--reflink=auto", str(parts.disk), str(part / "disk.img")], timeout_s=COPY_LIMIT_S
        )
        (part / "disk.img").chmod(0o600)
        shutil.copy(parts.kernel, part / "kernel")
        make_key(part / "id_ed25519", f"primetime lab {self.name}")
        make_key(part / "host_key", self.name)
        host_key = " ".join((part / "host_key.pub").read_text(encoding="ascii").split()[:2])
        (part / "known_hosts").write_text(f"[{LOOPBACK}]:{port} {host_key}\n", encoding="ascii")
        # a second archive behind the guests' initrd; the kernel unpacks both
        initrd = cpio.padded(parts.initrd.read_bytes()) + cpio.archive(own_files(part, self.name))
        write_secret(part / "initrd.img", initrd)
        about = About(profile.name, port, recipe(profile.emulator.architecture))
        (part / ABOUT).write_text(json.dumps(asdict(about), indent=1), encoding="utf-8")

    def remove(self) -> None:
        """Delete the board with everything on its disk. UserError when that is not permitted.

        It is gone at once, whole: what a killed remover leaves is no board, and goes with the next removal or making.
        What is not permitted to us keeps its name.
        """
        place = self.gone
        try:
            if self.gone.exists():  # of a remover that was killed
                shutil.rmtree(self.gone)
            place = self.directory
            if self.directory.exists():
                self._take_away()
        except OSError as error:
            raise UserError(f"{place} cannot be removed: {error.strerror}", "run as who made it") from None

    def _take_away(self) -> None:
        self.directory.rename(self.gone)
        try:
            shutil.rmtree(self.gone)
        except OSError:
            self.gone.rename(self.directory)
            raise


def default_root() -> Path:
    """Where boards lie unless somebody says otherwise."""
    return Path(os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT)


def elsewhere(root: Path) -> list[str]:
    """The option that says where boards lie, where nothing else says so."""
    return [] if root == default_root().resolve() else ["--lab", str(root)]


def own_files(part: Path, name: str) -> list[cpio.Member]:
    """What our init copies over the board's disk at every start: its name and keys."""
    return [
        *(cpio.directory(path) for path in ("board", "board/etc", "board/etc/ssh")),
        *(cpio.directory(path, 0o700) for path in ("board/root", "board/root/.ssh")),
        cpio.file("board/etc/hostname", f"{name}\n".encode()),
        cpio.file("board/etc/ssh/ssh_host_ed25519_key", (part / "host_key").read_bytes(), 0o600),
        cpio.file("board/root/.ssh/authorized_keys", (part / "id_ed25519.pub").read_bytes(), 0o600),
    ]


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read."""
    path.touch(mode=0o600)
    path.write_bytes(content)


def make_key(path: Path, comment: str) -> None:
    """Make an SSH key without a passphrase."""
    program = require_program("ssh-keygen", "apt-get install openssh-client")
    run([program, "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], timeout_s=KEY_LIMIT_S)


def check_room(root: Path, disk: Path) -> None:
    """UserError when a copy of the disk and what a board writes would not fit."""
    status = os.statvfs(root)
    free, needed = status.f_bavail * status.f_frsize, disk.stat().st_blocks * 512 + RESERVE
    if free < needed:
        raise UserError(
            f"{root} has {free >> 20} MiB free, a board needs {needed >> 20} MiB",
            f"free some space, or name another directory: export {ROOT_VARIABLE}=DIRECTORY",
        )


def free_port() -> int:
    """Return a loopback port that nothing listens on now."""
    for _ in range(PORT_TRIES):
        port = secrets.choice(PORTS)
        if is_free(port):
            return port
    raise UserError(f"no port of {LOOPBACK} from {PORTS.start} on is free", "see what listens: ss -ltn")


def is_free(port: int) -> bool:
    """Whether nothing listens on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
