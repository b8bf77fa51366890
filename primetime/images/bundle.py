"""primetime.pyz: the measuring half as one file that any Python from 3.11 on starts. Equal sources, equal bytes."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType

from primetime.errors import UserError
from primetime.images.cache import flush_directory
from primetime.images.file_program import prebuilt_name

ROOMS = (
    "campaign", "cli", "environments", "host", "images", "instruments", "intervals", "model", "store", "studies",
    "workloads",
)  # fmt: skip
SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = b"import sys\n\nfrom primetime.cli import main\n\nsys.exit(main())\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
LEFT_OUT = ("__pycache__", ".pyc")
HINT = "primetime bundle -o PLACE/primetime.pyz"


def write_bundle(out: Path, programs: Mapping[str, bytes] = MappingProxyType({})) -> str:
    """Write the bundle and return its SHA-256. Works from a source tree, an installation and a bundle.

    `programs`: the file program by Debian's architecture, for devices that have no compiler.
    UserError when the place cannot be written.
    """
    members = {"__main__.py": MAIN, **dict(package_files())}
    members |= {f"primetime/images/data/{prebuilt_name(name)}": program for name, program in programs.items()}
    content = SHEBANG + zipped(list(members.items()))
    try:
        require_replaceable(out)
        written(out, content)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}", HINT) from None
    return hashlib.sha256(content).hexdigest()


def require_replaceable(out: Path) -> None:
    """UserError for a name that is none, and for a directory, device, pipe or socket: a rename would take its place."""
    if not out.name:
        raise UserError(f"{str(out)!r} names no file", HINT)
    if out.exists() and not out.is_file():
        raise UserError(f"{out} is there and is no regular file", HINT)


def written(out: Path, content: bytes) -> None:
    """Write the file whole or not at all, an older one staying until then. OSError, with nothing of ours left."""
    part = out.with_name(f".{out.name}.part")
    try:
        part.write_bytes(content)
        part.chmod(0o755)
        part.rename(out)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell
            part.unlink()
        raise
    flush_directory(out.parent)


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    """Return a zip archive; stored, because compressors differ between hosts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(members):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = 3  # Unix, also where it is written on something else
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def package_files() -> list[tuple[str, bytes]]:
    """Return name and content of every file of the measuring half."""
    package = files("primetime")
    found = [(f"primetime/{item.name}", item.read_bytes()) for item in package.iterdir() if is_kept(item)]
    for room in ROOMS:
        found.extend(below(package.joinpath(room), f"primetime/{room}"))
    return found


def is_kept(item: Traversable) -> bool:
    """Whether this is a file of ours and not a by-product."""
    return item.is_file() and not item.name.endswith(LEFT_OUT)


def below(directory: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield every kept file below a directory of the package."""
    for item in directory.iterdir():
        if item.is_dir() and item.name not in LEFT_OUT:
            yield from below(item, f"{name}/{item.name}")
        elif is_kept(item):
            yield f"{name}/{item.name}", item.read_bytes()
