"""Third-party tools: installed into the cache from their makers' archives, or found on this host, always by hash."""

from __future__ import annotations

import platform
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import UserError
from primetime.host.process import find_program
from primetime.images.cache import ABOUT, Cache, about, file_hash, write_about
from primetime.images.download import FULL, Progress, download, no_progress
from primetime.images.tool_lock import LockedTool, for_machine, locked_tools
from primetime.images.unpack import unpack_tar

FORMAT = 1
MACHINES = {62: "x86_64", 183: "aarch64"}  # e_machine, elf(5)
ELF_MAGIC = b"\x7fELF"
NAMED, CACHED, ON_PATH = "named in the study", "primetime tools", "PATH"


@dataclass(frozen=True, slots=True)
class Found:
    """A program that can be started. `origin`: how it was found."""

    path: Path
    sha256: str
    origin: str


@dataclass(frozen=True, slots=True)
class Installing:
    """How to install. `directory`: archives lie there already, nothing is fetched; `accept`: asked about a tool
    whose hash nobody published, with the hash that came; `tell`: hears what happens."""

    directory: Path | None
    accept: Callable[[LockedTool, str], bool]
    tell: Callable[[str], None]
    progress: Progress = no_progress


def find_tool(program: str, named: str = "", cache: Cache | None = None) -> Found | None:
    """Return a program of a tool: the one named, else the cache's, else this host's; None when there is none.

    UserError when it is not there, or for another architecture.
    """
    if named:
        path, origin = Path(named), NAMED
        if not path.is_file():
            raise UserError(f"there is no program {named}", "name the program's whole path, or leave it out")
    else:
        cached = cached_program(program, cache or Cache())
        on_path = find_program(program)
        if cached is None and on_path is None:
            return None
        path, origin = (cached, CACHED) if cached else (Path(str(on_path)), ON_PATH)
        if not path.is_file():
            raise UserError(f"the installed tool's program {path} is gone", "primetime tools verify")
    check_machine(path, platform.machine())
    return Found(path, file_hash(path), origin)


def cached_program(program: str, cache: Cache) -> Path | None:
    """Return a program of an installed tool, the lock file's latest entry first."""
    for tool in reversed(for_machine(locked_tools())):
        if program in tool.programs and installed(tool, cache):
            return program_path(tool, program, cache)
    return None


def program_path(tool: LockedTool, program: str, cache: Cache) -> Path:
    """Where an installed tool's program lies."""
    return entry_path(tool, cache) / "tree" / tool.programs[program]


def entry_path(tool: LockedTool, cache: Cache) -> Path:
    """Where a tool's entry is, or will be."""
    return cache.path(entry_name(tool), material(tool))


def entry_name(tool: LockedTool) -> str:
    """The readable part of its entry's name."""
    return f"tool-{tool.name}-{tool.version}-{tool.architecture}"


def material(tool: LockedTool) -> Mapping[str, object]:
    """What names the entry: the archive's own hash where it is known."""
    return {"format": FORMAT, "sha256": tool.sha256, "url": "" if tool.sha256 else tool.url}


def installed(tool: LockedTool, cache: Cache) -> bool:
    """Whether it lies in the cache."""
    return entry_path(tool, cache).is_dir()


def standing(tool: LockedTool, cache: Cache) -> str:
    """How it stands in the cache, at a glance: "not installed", "installed", or "damaged" with what to do."""
    if not installed(tool, cache):
        return "not installed"
    entry = entry_path(tool, cache)
    return "installed" if is_whole(tool, entry) else f"damaged: remove {entry}"


def is_whole(tool: LockedTool, entry: Path) -> bool:
    """Whether its programs and its own list of files are there; `damaged` hashes every file."""
    try:
        about(entry, {"files": dict})
    except UserError:
        return False
    return all((entry / "tree" / name).is_file() for name in tool.programs.values())


def install(tool: LockedTool, cache: Cache, how: Installing) -> Path:
    """Return the tool's entry, fetching, verifying and unpacking when it is absent.

    UserError when it cannot be had, is not what the lock file says, does not fit on the disk, or lies there damaged;
    the cache's entries are then as before.
    """
    with cache.locked(f"{entry_path_name(tool)}.install"):  # two would append to one download
        if not installed(tool, cache):
            return brought(tool, cache, how)
        entry = entry_path(tool, cache)
        if not is_whole(tool, entry):
            raise UserError(f"{entry} is damaged", f"rm -r {shlex.quote(str(entry))}, then the same again")
        return entry


def brought(tool: LockedTool, cache: Cache, how: Installing) -> Path:
    """Fetch, verify and unpack it; see `install`."""
    downloads = cache.root / "downloads"
    archive = at_hand(tool, how) if how.directory else fetched(tool, downloads, how)
    digest = verified(tool, archive, how)
    how.tell(f"{tool.name} {tool.version}: unpacking")
    try:
        entry = cache.entry(entry_name(tool), material(tool), lambda part: build(tool, archive, digest, part))
    except OSError as error:
        if error.errno not in FULL:
            raise
        words = f"no room in {cache.root} for {tool.name}: {error.strerror}"
        raise UserError(words, "make room, or: export PRIMETIME_CACHE=DIRECTORY") from None
    if how.directory is None:
        archive.unlink()
    return entry


def at_hand(tool: LockedTool, how: Installing) -> Path:
    """Return the archive in the user's directory."""
    path = Path(str(how.directory)) / tool.archive
    if not path.is_file():
        raise UserError(f"{how.directory} has no {tool.archive}", f"fetch {tool.url} into it")
    return path


def fetched(tool: LockedTool, downloads: Path, how: Installing) -> Path:
    """Return the whole archive, downloaded."""
    try:
        downloads.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "run as root, or name another directory: export PRIMETIME_CACHE=DIRECTORY"
        raise UserError(f"{downloads} cannot be made: {error.strerror}", hint) from None
    part = downloads / f"{entry_path_name(tool)}.part"
    how.tell(f"{tool.name} {tool.version}: {tool.url}")
    download(tool.url, part, tool.size, how.progress)
    return part


def entry_path_name(tool: LockedTool) -> str:
    """The name of its download: another archive of the same tool has another."""
    return f"{entry_name(tool)}-{(tool.sha256 or 'unverified')[:16]}"


def verified(tool: LockedTool, archive: Path, how: Installing) -> str:
    """Return the archive's hash when it is the lock file's, or the user takes it. UserError otherwise.

    A download that is wrong is taken away: going on from it would give the same again.
    """
    digest = file_hash(archive)
    if tool.sha256 == digest:
        return digest
    if not tool.sha256 and how.accept(tool, digest):
        return digest
    if how.directory is None:
        archive.unlink()
    if not tool.sha256:
        hint = f"primetime tools install {tool.name} --accept-unverified {tool.name}"
        raise UserError(
            f"no hash of {tool.name} {tool.version} is published, and sha256 {digest} was not accepted", hint
        )
    raise UserError(
        f"{tool.archive} is not what the lock file says: sha256 {digest}, not {tool.sha256}",
        "fetch it again; if that does not help, somebody has changed it: do not use it",
    )


def build(tool: LockedTool, archive: Path, digest: str, part: Path) -> None:
    """Fill a cache entry: the tree, and what it hashes to."""
    tree = part / "tree"
    tree.mkdir()
    if tool.form == "program":
        [target] = tool.programs.values()
        shutil.copyfile(archive, tree / target)
    else:
        unpack_tar(archive, tool.form, tree)
    for name in tool.programs.values():
        path = tree / name
        if not path.is_file():
            raise UserError(f"{tool.archive} holds no {name}", "the lock file's entry is not of this archive")
        path.chmod(0o755)
        check_machine(path, tool.architecture)
    told = {"archive_sha256": digest, "published": bool(tool.sha256), "files": tree_hashes(tree)}
    write_about(part, told)


def tree_hashes(tree: Path) -> dict[str, str]:
    """SHA-256 of every file below, by its name there."""
    files = (path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(tree)): file_hash(path) for path in files}


def damaged(entry: Path) -> Iterable[str]:
    """Return the names of files of an installed tool that are no longer what was unpacked.

    The entry's own list of them is one: without it nothing is known of the others.
    """
    try:
        then = about(entry, {"files": dict})["files"]
    except UserError:
        return [ABOUT]
    now = tree_hashes(entry / "tree")
    return sorted(name for name in then | now if then.get(name) != now.get(name))


def check_machine(path: Path, architecture: str) -> None:
    """UserError when a program is for another architecture. A script is for any."""
    with path.open("rb") as file:
        header = file.read(20)
    if not header.startswith(ELF_MAGIC):
        return
    number = int.from_bytes(header[18:20], "little")
    built_for = MACHINES.get(number, f"machine {number}")
    if built_for != architecture:
        hint = f"take the one for {architecture}: primetime tools list"
        raise UserError(f"{path} is for {built_for}, not for {architecture}", hint)
