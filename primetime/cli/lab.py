"""`primetime lab`: emulated boards with KVM inside, for whoever has none at hand."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from primetime.campaign.signals import interruptible
from primetime.cli import DONE, FAILED
from primetime.errors import BootFailed, UserError
from primetime.host.process import Spawning, spawn
from primetime.store import give_to_user

if TYPE_CHECKING:
    from primetime.lab.board import Board
    from primetime.lab.life import Standing


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.description = "Emulated boards with KVM inside, over SSH on a loopback port. They say nothing about speed."
    verbs = parser.add_subparsers(dest="act", required=True, metavar="up|down|list|ssh|kill")
    up = board_verb(verbs, "up", "start a board and wait until it answers; the first time, make it")
    up.add_argument("--fresh", action="store_true", help="throw the old one away first, with all on its disk")
    up.add_argument(
        "--fleet",
        type=Path,
        default=Path("fleet.toml"),
        metavar="FILE",
        help="where it is added (default: %(default)s)",
    )
    down = board_verb(verbs, "down", "shut a board down; its disk stays")
    down.add_argument("--remove", action="store_true", help="then delete it, with all on its disk")
    board_verb(verbs, "kill", "cut a board's power: what it had not flushed is lost")
    ssh = board_verb(verbs, "ssh", "open a shell on a board, or run a command there")
    ssh.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="with its arguments")
    listing = verbs.add_parser("list", help="show all profiles and their boards", description="Show all profiles.")
    listing.add_argument("--json", action="store_true", help="one JSON array on stdout")
    lab_option(listing)


def board_verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str
) -> argparse.ArgumentParser:
    """Add a verb that takes a profile."""
    parser = verbs.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    parser.add_argument("profile", metavar="PROFILE", help="pi4, pi8, nano2, nano4 or x86")
    lab_option(parser)
    return parser


def lab_option(parser: argparse.ArgumentParser) -> None:
    """Where the boards lie."""
    parser.add_argument("--lab", type=Path, metavar="DIR", help="the boards' directory (default: $PRIMETIME_LAB, …)")


def execute(options: argparse.Namespace) -> int:
    """Carry one of them out."""
    try:
        from primetime.lab.board import Board, default_root
        from primetime.lab.profiles import profile
    except ModuleNotFoundError as error:
        if error.name != "primetime.lab":
            raise
        raise UserError("primetime.pyz has no lab, only the half that measures", "pip install primetime") from None

    if options.act == "ssh":
        options.lab, options.command = own_option(options.lab, options.command)
    root = (options.lab or default_root()).resolve()
    if options.act == "list":
        return show(root, options.json)
    board = Board(root, profile(options.profile).name)
    with interruptible():
        return {"up": up, "down": down, "kill": kill, "ssh": ssh}[options.act](board, options)


def own_option(lab: Path | None, command: list[str]) -> tuple[Path | None, list[str]]:
    """Take a --lab between PROFILE and COMMAND out of the command, to which argparse leaves all behind PROFILE.

    What follows "--" is the board's, whatever it looks like.
    """
    while command and command[0].partition("=")[0] == "--lab":
        word, behind = command[0], command[1:]
        _, has_value, directory = word.partition("=")
        if not has_value:
            directory, behind = (behind or [""])[0], behind[1:]
        if not directory:
            raise UserError("--lab needs a directory", "primetime lab ssh PROFILE --lab DIR -- COMMAND")
        lab, command = Path(directory), behind
    return lab, command[1:] if command[:1] == ["--"] else command


def up(board: Board, options: argparse.Namespace) -> int:
    """Start it, add it to the fleet, say how to get in."""
    from primetime.lab import emulator, fleet_file, life
    from primetime.lab.profiles import profile

    fleet = options.fleet.absolute()
    fleet_file.require_editable(fleet, board.name)  # said now, not in a minute
    if board.exists and not options.fresh and emulator.is_up(board):
        enter(board, fleet)
        raise UserError(f"{board.name} is up already", f"it stands in {fleet}; {board.typed('ssh')}")
    try:
        seconds = life.up(board, profile(board.name), options.fresh, say)
    except BootFailed as error:
        print(error.console.decode(errors="replace"), file=sys.stderr)
        raise
    changed = enter(board, fleet)
    say(f"{board.name}: up after {seconds:.0f} s, port {board.about().port} of 127.0.0.1")
    say(f"{board.name}: {'written to' if changed else 'stands in'} {fleet}")
    say(f"{board.name}: a shell there: {board.typed('ssh')}")
    return DONE


def enter(board: Board, fleet: Path) -> bool:
    """Write the board into the fleet file; who called sudo owns that file and may use the board's key."""
    from primetime.lab import fleet_file

    is_new = not fleet.exists()
    changed = fleet_file.add_to_fleet(fleet, board.name, fleet_file.entry_of(board))
    for path in (board.identity, *([fleet] if is_new else [])):
        give_to_user(path)
    return changed


def down(board: Board, options: argparse.Namespace) -> int:
    """Shut it down, and say whether it went by itself."""
    from primetime.lab import life

    orderly = life.down(board, options.remove)
    say(f"{board.name}: {'down' if orderly else 'it did not shut down, so its power was cut'}")
    return DONE if orderly else FAILED


def kill(board: Board, options: argparse.Namespace) -> int:  # noqa: ARG001 - every act has the same form
    """Cut its power."""
    from primetime.lab import life

    life.kill(board)
    say(f"{board.name}: its power is cut")
    return DONE


def ssh(board: Board, options: argparse.Namespace) -> int:
    """Give the terminal to ssh; its exit code is ours."""
    from primetime.lab import life
    from primetime.lab.reach import ssh_argv

    life.require_up(board)
    interactive = ["-t"] if not options.command and sys.stdin.isatty() else []
    argv = ssh_argv(board)
    streams = Spawning(stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr)
    with spawn([argv[0], *interactive, *argv[1:], *options.command], streams) as child:
        return child.wait()


def show(root: Path, as_json: bool) -> int:
    """Print all profiles."""
    from primetime.lab.life import standing

    found = standing(root)
    print(json.dumps([asdict(one) for one in found], indent=2) if as_json else "\n".join(map(line, found)))
    return DONE


def line(one: Standing) -> str:
    """One profile in words."""
    where = f"port {one.port}, disk {one.disk_bytes >> 20} MiB" if one.port else ""
    if one.state == "damaged":
        where = f"see {one.directory}, or make it anew: lab up --fresh"
    size = f"{one.cpus} CPU {one.memory_bytes >> 20:>5} MiB"
    return f"{one.profile:<6} {one.state:<7} {size}  {one.likeness:<24} {where}".rstrip()


def say(words: str) -> None:
    """A line at once, also into a pipe."""
    print(words, flush=True)
