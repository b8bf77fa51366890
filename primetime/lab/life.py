"""The life of a board: made once, started, shut down or cut off, removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import CommandTimeout, UserError
from primetime.host.process import find_program, run
from primetime.images.cache import Cache
from primetime.lab import emulator, reach
from primetime.lab.board import Board
from primetime.lab.image import board_parts, recipe
from primetime.lab.profiles import PROFILES, Profile, Size, fitted, this_host

SHUTDOWN_LIMIT_S = 60.0
POWEROFF_LIMIT_S = 30.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Standing:
    """One profile as it stands here, for `list`. `port` is 0 and `disk_bytes` 0 while there is no board."""

    profile: str
    likeness: str
    state: str  # "up", "down", "none", "damaged"
    port: int
    cpus: int
    memory_bytes: int
    disk_bytes: int
    directory: str


def up(board: Board, profile: Profile, fresh: bool, progress: Progress) -> float:
    """Start a board and wait until it answers; return the seconds that took. It is made when there is none.

    `fresh`: an existing one is thrown away first. UserError when it is up already or cannot be made;
    BootFailed, with its console, when it does not answer: then its emulator is ended.
    """
    program = emulator.program_of(profile.emulator)
    size = fitted(profile, this_host(emulator.qemu_major(program)))
    with board.locked():
        if emulator.is_up(board):
            hint = f"first: {board.typed('kill')}" if fresh else board.typed("ssh")
            raise UserError(f"{board.name} is up already", hint)
        if board.directory.exists() and not board.has_traces:
            raise UserError(f"{board.directory} is there and is no board", "move it away, or say where: --lab DIR")
        if fresh:
            board.remove()
        if not board.exists:
            if board.has_traces:  # there may be a disk that somebody wants
                raise board.damaged()
            progress(f"{board.name}: making its disk, a minute where nothing is cached")
            board.make(profile, board_parts(Cache(), profile.emulator.architecture))
        elif board.about().recipe != recipe(profile.emulator.architecture):
            progress(f"{board.name}: made by another version of primetime; --fresh makes it anew")
        for clamp in size.clamps:
            progress(f"{board.name}: {clamp}")
        return start(board, profile, size)


def start(board: Board, profile: Profile, size: Size) -> float:
    """Start the emulator and wait for the board; whatever goes wrong, no emulator is left."""
    try:
        emulator.start(board, profile, size)
        return reach.await_board(board)
    except BaseException:
        emulator.cut_power(board)
        raise


def down(board: Board, remove: bool) -> bool:
    """Shut a board down; whether it went by itself. One that does not within a minute is cut off.

    `remove`: delete it afterwards, also what is left of a damaged one or by a killed remover. UserError when there
    is none, or when it is down and shall stay.
    """
    with board.locked():
        if not remove or not (board.has_traces or board.gone.exists()):
            require_made(board)
        orderly = shut_down(board)
        if orderly is None and not remove:
            raise UserError(f"{board.name} is not up", board.typed("up"))
        if remove:
            board.remove()
        return orderly is not False


def shut_down(board: Board) -> bool | None:
    """Ask the board to power off; False when it had to be cut off, None when it was not running."""
    with emulator.running(board) as running:
        if running is None:
            return None
        with suppress(CommandTimeout):  # the connection may end before its answer: only the board's end counts
            run([*reach.ssh_argv(board), "poweroff"], timeout_s=POWEROFF_LIMIT_S, check=False)
        ended = emulator.has_ended(running, SHUTDOWN_LIMIT_S)
    emulator.cut_power(board)
    return ended


def kill(board: Board) -> None:
    """Cut a board's power. It asks for no lock: power fails while others are at work.

    UserError when there is none or it is not up.
    """
    if not emulator.cut_power(board):  # first: a damaged one may still run
        require_made(board)
        raise UserError(f"{board.name} is not up", board.typed("up"))


def require_made(board: Board) -> None:
    """UserError when there is no such board, or nothing says what it is."""
    if not board.exists:
        if board.has_traces:
            raise board.damaged()
        raise UserError(f"there is no board {board.name} here", board.typed("up"))


def require_up(board: Board) -> None:
    """UserError unless the board is up."""
    require_made(board)
    if not emulator.is_up(board):
        raise UserError(f"{board.name} is not up", board.typed("up"))
    if not os.access(board.identity, os.R_OK):
        raise board.of_another()


def standing(root: Path) -> list[Standing]:
    """Return every profile with its board's state, in the profiles' order."""
    return [of_profile(Board(root, name), profile) for name, profile in PROFILES.items()]


def of_profile(board: Board, profile: Profile) -> Standing:
    """Return how one board stands, with the size it has or would have here."""
    program = find_program(profile.emulator.program)
    size = fitted(profile, this_host(emulator.qemu_major(program) if program else 0))
    return Standing(
        profile=profile.name,
        likeness=profile.likeness,
        state=state(board),
        port=board.about().port if board.is_whole else 0,
        cpus=size.cpus,
        memory_bytes=size.memory_bytes,
        disk_bytes=board.disk.stat().st_blocks * 512 if board.disk.is_file() else 0,
        directory=str(board.directory),
    )


def state(board: Board) -> str:
    """How one board stands, in a word. A damaged one keeps no other from being shown."""
    if not board.has_traces:
        return "none"
    if not board.is_whole:
        return "damaged"
    return "up" if emulator.is_up(board) else "down"
