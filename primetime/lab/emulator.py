"""QEMU for one board: its command line, its start in the background, and finding it again.

It outlives the verb that started it. The pid file is QEMU's own, and a process counts as a board's
emulator only when its command line names that file: a number that was given to another process does not.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.errors import CommandFailed, UserError
from primetime.host.process import require_program, run
from primetime.lab.board import LOOPBACK, Board, is_free
from primetime.lab.profiles import Emulator, Profile, Size

TRANSLATION_MIB = 512  # TCG's cache of translated code
START_LIMIT_S = 120.0
VERSION_LIMIT_S = 30.0
NETWORK = {"ip": "10.0.2.15/24", "gw": "10.0.2.2"}  # QEMU's user network


def program_of(emulator: Emulator) -> str:
    """Return QEMU's absolute path. UserError when it is not installed."""
    return require_program(emulator.program, f"apt-get install {emulator.package}, or: primetime setup --lab")


def qemu_major(program: str) -> int:
    """Return the first number of QEMU's version, 0 when it says none."""
    said = run([program, "--version"], timeout_s=VERSION_LIMIT_S).stdout.decode(errors="replace")
    found = re.search(r"QEMU emulator version (\d+)", said)
    return int(found[1]) if found else 0


def emulator_argv(board: Board, profile: Profile, size: Size, port: int) -> list[str]:
    """Return QEMU's command line, without the program: nothing comes from defaults.

    The disk's cache is write-back: what the board flushed survives a kill, what it did not is lost.
    The network is closed: only the forwarded port, on the loopback address, leads in; nothing leads out.
    """
    disk = {
        "driver": "raw", "node-name": "disk", "discard": "unmap",
        "cache": {"direct": False, "no-flush": False},
        "file": {"driver": "file", "filename": str(board.disk)},
    }  # fmt: skip
    return [
        "-nodefaults", "-no-user-config", "-display", "none",
        "-name", f"primetime-lab-{board.name}",
        "-machine", profile.machine,
        "-accel", f"tcg,thread=multi,tb-size={TRANSLATION_MIB}",
        "-cpu", profile.cpu,
        "-smp", str(size.cpus),
        "-m", f"{size.memory_bytes >> 20}M",
        "-rtc", "base=utc",
        "-kernel", str(board.directory / "kernel"),
        "-initrd", str(board.directory / "initrd.img"),
        "-append", kernel_command_line(profile),
        "-blockdev", json.dumps(disk),
        "-device", "virtio-blk-pci,drive=disk",
        "-netdev", f"user,id=net,ipv6=off,restrict=on,hostfwd=tcp:{LOOPBACK}:{port}-:22",
        "-device", "virtio-net-pci,netdev=net,romfile=",
        "-device", "virtio-rng-pci",
        "-chardev", f"file,id=console,path={escaped(board.console)}",
        "-serial", "chardev:console",
        "-pidfile", str(board.pid_file),
        "-daemonize",
    ]  # fmt: skip


def kernel_command_line(profile: Profile) -> str:
    """What the board's kernel and init are told. The mark makes every figure measured there an emulated one."""
    words = [
        f"console={profile.emulator.serial}", "loglevel=6", "panic=-1", "oops=panic",
        f"primetime.emulated={profile.name}", "primetime.root=rw",
        *(f"primetime.{name}={value}" for name, value in NETWORK.items()),
    ]  # fmt: skip
    return " ".join(words)


def escaped(path: Path) -> str:
    """A path inside a comma-separated option."""
    return str(path).replace(",", ",,")


def start(board: Board, profile: Profile, size: Size) -> None:
    """Start the emulator in the background. UserError when it is damaged, its port is taken or QEMU refuses."""
    if not board.is_whole:
        raise board.damaged()
    port = board.about().port
    if not is_free(port):
        raise UserError(
            f"the port {port} of {board.name} is taken by another program",
            f"see which: ss -ltnp sport = :{port}, or make the board anew: {board.typed('up', '--fresh')}",
        )
    try:
        run([program_of(profile.emulator), *emulator_argv(board, profile, size, port)], timeout_s=START_LIMIT_S)
    except CommandFailed as error:
        hint = f"if nothing there can be mended, make the board anew: {board.typed('up', '--fresh')}"
        raise UserError(f"the emulator did not start: {error.message}", hint) from error
    board.pid_file.chmod(0o644)  # QEMU shows it to its own user alone


@contextmanager
def running(board: Board) -> Iterator[int | None]:
    """Yield a descriptor of the board's emulator, which cannot come to mean another process; None when it is down."""
    descriptor = find(board)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def find(board: Board) -> int | None:
    """Open the process that the pid file names, when it is this board's emulator."""
    try:
        pid = int(board.pid_file.read_text(encoding="ascii"))
        descriptor = os.pidfd_open(pid)
    except (OSError, ValueError, OverflowError):
        return None
    try:  # read after opening: a later process of that number is not what was opened
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        words = []
    if os.fsencode(board.pid_file) in words and not has_ended(descriptor, 0):
        return descriptor
    os.close(descriptor)
    return None


def is_up(board: Board) -> bool:
    """Whether the board's emulator runs."""
    with running(board) as emulator:
        return emulator is not None


def has_ended(descriptor: int, limit_s: float) -> bool:
    """Wait until a process has ended, at most `limit_s`; whether it has."""
    return bool(select.select([descriptor], [], [], limit_s)[0])


def cut_power(board: Board) -> bool:
    """Kill the board's emulator as it stands and wait for its end; whether it was running."""
    with running(board) as emulator:
        if emulator is not None:
            try:
                signal.pidfd_send_signal(emulator, signal.SIGKILL)
            except PermissionError:
                raise board.of_another() from None
            has_ended(emulator, START_LIMIT_S)
        return emulator is not None
