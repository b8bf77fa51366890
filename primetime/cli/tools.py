"""`primetime tools list|install|verify`: VMMs and runtimes that no distribution packages, by hash into the cache."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from primetime.cli import DONE, FAILED
from primetime.errors import UserError
from primetime.images.cache import Cache, file_hash
from primetime.images.tool_lock import LockedTool, chosen, for_machine, locked_tools
from primetime.images.tools import Installing, damaged, entry_path, find_tool, install, installed, standing

MIB = 1 << 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("action", choices=ACTIONS, help="what is there; fetch and unpack; hash again")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: every tool for this architecture")
    parser.add_argument(
        "--from", dest="directory", type=Path, metavar="DIR", help="archives lie here, nothing is fetched"
    )
    parser.add_argument("--lock", type=Path, metavar="FILE", help="a lock file of your own, for a mirror of yours")
    parser.add_argument(
        "--accept-unverified", action="append", default=[], metavar="NAME", help="a tool whose hash nobody publishes"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout (list)")


def execute(options: argparse.Namespace) -> int:
    """Do one of the three."""
    tools = chosen(for_machine(locked_tools(options.lock)), options.names)
    return ACTIONS[options.action](tools, options)


def show(tools: Sequence[LockedTool], options: argparse.Namespace) -> int:
    """Print each entry with its state, and what would be used for each of its programs."""
    cache = Cache()
    rows = [described(tool, cache) for tool in tools]
    if options.json:
        print(json.dumps({"tools": rows}, indent=2))
        return DONE
    for row in rows:
        size = f"{row['size'] / 1e6:.1f} MB" if row["size"] else "size not known"
        print(f"{row['name']:<18} {row['version']:<8} {row['architecture']:<8} {size:<14}  {row['state']}")
        print(f"    sha256 {row['sha256'] or 'not published: install asks you'}")
        for program, one in row["programs"].items():
            words = f"{one['path']} ({one['origin']})" if one else "not found"
            print(f"    {program}: {one.get('reason', words) if one else words}")
    return DONE


def described(tool: LockedTool, cache: Cache) -> dict[str, Any]:
    """One entry as JSON would have it. `programs`: name → what is used for it here, None where nothing is."""
    programs = {program: used(program, cache) for program in tool.programs}
    about = {"name": tool.name, "version": tool.version, "architecture": tool.architecture, "url": tool.url}
    return {**about, "size": tool.size, "sha256": tool.sha256, "state": standing(tool, cache), "programs": programs}


def used(program: str, cache: Cache) -> dict[str, str] | None:
    """What would be used for a program here; a `reason` stands with what cannot be."""
    try:
        found = find_tool(program, cache=cache)
    except UserError as error:
        return {"path": program, "sha256": "", "origin": "not usable", "reason": error.message}
    return None if found is None else {"path": str(found.path), "sha256": found.sha256, "origin": found.origin}


def fetch(tools: Sequence[LockedTool], options: argparse.Namespace) -> int:
    """Install each. UserError at the first that cannot be had; those before it stay installed."""
    accepted = frozenset(options.accept_unverified)
    how = Installing(options.directory, lambda tool, digest: accepts(tool, digest, accepted), say, shown_progress())
    for tool in tools:
        entry = install(tool, Cache(), how)
        say(f"{tool.name} {tool.version}: {entry}")
    return DONE


def accepts(tool: LockedTool, digest: str, accepted: frozenset[str]) -> bool:
    """Whether the user takes an archive that nobody published a hash of: named beforehand, or asked now."""
    say(f"{tool.name} {tool.version}: nobody publishes its hash; this one has sha256 {digest}")
    if tool.name in accepted:
        return True
    return sys.stdin.isatty() and input("Use it? [y/N] ").strip().lower() in ("y", "yes")


def verify(tools: Sequence[LockedTool], options: argparse.Namespace) -> int:
    """Hash what is installed, or with --from the archives there, and compare. Failed when something differs.

    UserError when there is nothing that could be compared: silence would pass for a good archive.
    """
    cache = Cache()
    if options.directory:
        require_archives(tools, options.directory)
    complaints = [
        line
        for tool in tools
        for line in (
            archive_complaints(tool, options.directory) if options.directory else entry_complaints(tool, cache)
        )
    ]
    return FAILED if complaints else DONE


def require_archives(tools: Sequence[LockedTool], directory: Path) -> None:
    """UserError unless `directory` has an archive of one of the tools, and nothing else under an archive's name."""
    if not directory.is_dir():
        raise UserError(f"{directory} is no directory", "primetime tools verify --from DIR, where the archives lie")
    there = [directory / tool.archive for tool in tools if (directory / tool.archive).exists()]
    for path in there:
        if not path.is_file():
            raise UserError(f"{path} is no regular file", f"put the archive in its place: {path.name}")
    if not there:
        known = ", ".join(tool.archive for tool in tools) or "none"
        raise UserError(f"{directory} has none of the archives", f"for this architecture they are called: {known}")


def entry_complaints(tool: LockedTool, cache: Cache) -> list[str]:
    """Say how one installed tool stands; return what is wrong with it."""
    if not installed(tool, cache):
        say(f"{tool.name} {tool.version}: not installed")
        return []
    wrong = list(damaged(entry_path(tool, cache)))
    entry = entry_path(tool, cache)
    say(
        f"{tool.name} {tool.version}: "
        + (f"changed: {', '.join(wrong[:5])}; remove {entry}" if wrong else "as unpacked")
    )
    return wrong


def archive_complaints(tool: LockedTool, directory: Path) -> list[str]:
    """Say how one archive stands; return what is wrong with it."""
    path = directory / tool.archive
    if not path.is_file():
        say(f"{tool.archive}: not there")
        return []
    digest = file_hash(path)
    if digest == tool.sha256:
        say(f"{tool.archive}: as locked")
        return []
    if not tool.sha256:
        say(f"{tool.archive}: sha256 {digest}, and none is published")
        return []
    say(f"{tool.archive}: sha256 {digest}, not {tool.sha256}")
    return [tool.archive]


def shown_progress() -> Callable[[int, int], None]:
    """A progress on a terminal; silent elsewhere."""
    if not sys.stderr.isatty():
        return lambda here, whole: None  # noqa: ARG005

    def show_bytes(here: int, whole: int) -> None:
        words = f"{here // MIB} MiB" + (f" of {whole // MIB}" if whole else "")
        print(f"\r{words}   ", end="\n" if here == whole else "", file=sys.stderr, flush=True)

    return show_bytes


def say(words: str) -> None:
    """A line at once, also into a pipe."""
    print(words, flush=True)


ACTIONS = {"list": show, "install": fetch, "verify": verify}
