"""Files and cache entries for a board: by content hash, whole or absent, skipped where they are already."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from primetime.errors import CommandFailed
from primetime.fleet.ssh import Ssh
from primetime.images.cache import ABOUT, file_hash

FILE_LIMIT_S = 600.0
ENTRY_LIMIT_S = 7200.0  # a few hundred megabytes over a slow line
QUICK_COMPRESSION = "gzip -1"  # a small board unpacks faster than it decrypts
PUSHED = ".primetime-pushed-"
# the small file of an entry that holds the hashes of the rest, or is all of it
NAMING = (ABOUT, "initrd.img", "files")


def push_file(ssh: Ssh, root: Sequence[str], file: Path, there: PurePosixPath) -> bool:
    """Write a file on the board; return whether it was not there yet. Raises CommandFailed when it arrives damaged."""
    digest = file_hash(file)
    if hash_there(ssh, root, there) == digest:
        return False
    part = part_of(there)
    write = [*root, "dd", f"of={part}", "bs=1M", "conv=fsync", "status=none"]
    ssh.run(write, stdin=file.read_bytes(), timeout_s=FILE_LIMIT_S)
    if hash_there(ssh, root, part) != digest:
        raise CommandFailed(write, 0, b"what arrived is not what was sent")
    ssh.run([*root, "mv", "--no-target-directory", str(part), str(there)])
    return True


def push_entry(ssh: Ssh, root: Sequence[str], entry: Path, there: PurePosixPath) -> bool:
    """Write a cache entry on the board, in place of another of that name; return whether it was not there yet."""
    naming = next(name for name in NAMING if (entry / name).is_file())
    if hash_there(ssh, root, there / naming) == file_hash(entry / naming):
        return False
    part, old = part_of(there), there.with_name(f"{there.name}.old")
    ssh.run([*root, "rm", "-rf", "--", str(old)], timeout_s=FILE_LIMIT_S)
    ssh.run([*root, "mkdir", str(part)])
    pack = ["tar", "--create", "--file=-", "--sparse", "--numeric-owner", f"--use-compress-program={QUICK_COMPRESSION}",
            f"--directory={entry}", "."]  # fmt: skip
    unpack = [*root, "tar", "--extract", "--gzip", "--sparse", "--numeric-owner", "--same-owner",
              "--preserve-permissions", f"--directory={part}", "--file=-"]  # fmt: skip
    ssh.send(pack, unpack, ENTRY_LIMIT_S)
    ssh.run([*root, "sync", "--file-system", str(part)], timeout_s=FILE_LIMIT_S)
    ssh.run([*root, "mv", "--no-target-directory", str(there), str(old)], check=False)  # there may be none
    ssh.run([*root, "mv", "--no-target-directory", str(part), str(there)])
    ssh.run([*root, "rm", "-rf", "--", str(old)], timeout_s=FILE_LIMIT_S)
    return True


def part_of(there: PurePosixPath) -> PurePosixPath:
    """A name of one push alone: what a killed one had on its way may still arrive, and must not arrive in ours."""
    return there.with_name(f"{PUSHED}{secrets.token_hex(4)}-{there.name}")


def clear_parts(ssh: Ssh, root: Sequence[str], directories: Sequence[PurePosixPath]) -> None:
    """Remove what killed pushes left on the board; what is still arriving goes the next time."""
    found = [*map(str, directories), "-maxdepth", "1", "-name", f"{PUSHED}*"]
    ssh.run([*root, "find", *found, "-exec", "rm", "-rf", "--", "{}", "+"], timeout_s=FILE_LIMIT_S, check=False)


def hash_there(ssh: Ssh, root: Sequence[str], path: PurePosixPath) -> str:
    """The SHA-256 of a file on the board; "" where there is none."""
    outcome = ssh.run([*root, "sha256sum", "--", str(path)], check=False, timeout_s=FILE_LIMIT_S)
    words = outcome.stdout.decode(errors="replace").split()
    return words[0] if outcome.returncode == 0 and words else ""
