"""The image cache: directories named by the hash of what they were made from.

An entry is built in a sibling directory under a lock, written to the disk, then renamed: it is whole or
absent. What a killed builder left is removed by the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from primetime.errors import UserError
from primetime.host.process import run

DEFAULT_ROOT = "/var/cache/primetime"
ROOT_VARIABLE = "PRIMETIME_CACHE"
FLUSH_LIMIT_S = 300.0
CHUNK = 1 << 20
ABOUT = "about.json"

Material = Mapping[str, object]  # anything that JSON can hold


def default_root() -> Path:
    """Where the cache lies unless somebody says otherwise."""
    return Path(os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT)


class Cache:
    """A directory of finished entries. Several processes may use it at once."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_root()).resolve()

    def path(self, name: str, key_material: Material) -> Path:
        """Return where the entry is, or will be."""
        return self.root / f"{name}-{key(key_material)}"

    def entry(self, name: str, key_material: Material, build: Callable[[Path], None]) -> Path:
        """Return the entry, building it when it is absent.

        `build` gets an empty directory to fill. Two builders at once do not collide: the second waits
        and takes what the first made. UserError when the cache cannot be written.
        """
        finished = self.path(name, key_material)
        if finished.is_dir():
            return finished
        with self.locked(finished.name):
            if not finished.is_dir():
                self._build(finished, build)
        return finished

    def _build(self, finished: Path, build: Callable[[Path], None]) -> None:
        part = finished.with_name(f"{finished.name}.part")
        if part.exists():
            shutil.rmtree(part)  # a builder that was killed
        part.mkdir(mode=0o755)
        try:
            build(part)
            run(["sync", "--file-system", str(part)], timeout_s=FLUSH_LIMIT_S)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        part.rename(finished)
        flush_directory(self.root)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the lock of this name, an entry's for instance; the kernel frees it on any death. UserError."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o755)
            lock = (self.root / f"{name}.lock").open("ab")
        except OSError as error:
            raise UserError(
                f"the image cache {self.root} cannot be written: {error.strerror}",
                f"run as root, or name another directory: export {ROOT_VARIABLE}=DIRECTORY",
            ) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def about(entry: Path, parts: Mapping[str, type]) -> dict[str, Any]:
    """Return what a finished entry says of itself: each of `parts`, of that type. UserError when it is damaged."""
    try:
        found = json.loads((entry / ABOUT).read_text(encoding="utf-8"))
        told = {name: found[name] for name in parts}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        told = {}
    if told.keys() != parts.keys() or not all(isinstance(told[name], kind) for name, kind in parts.items()):
        raise UserError(f"{entry} is damaged: its {ABOUT} is gone or junk", f"rm -r {shlex.quote(str(entry))}")
    return told


def write_about(entry: Path, told: Mapping[str, object]) -> None:
    """Let an entry that is being made say of itself what `about` will read."""
    (entry / ABOUT).write_text(json.dumps(told, indent=1, sort_keys=True), encoding="utf-8")


def key(material: Material) -> str:
    """Return the first 16 hexadecimal digits of the hash of `material`; the order of its keys is no part of it."""
    text = json.dumps(material, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_hash(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def flush_directory(directory: Path) -> None:
    """Make a rename in `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
