"""Unpacking a stranger's archive: nothing may lie, or lead, outside the directory it is unpacked into."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from primetime.errors import CommandFailed, UserError
from primetime.host.process import Spawning, require_program, spawn

UNZSTD_LIMIT_S = 1800.0
CHUNK = 2**20
MODE = 0o755  # no setuid, nothing for others to write
HINT = "do not use this archive; fetch it from its makers again"


def unpack_tar(archive: Path, form: str, tree: Path) -> None:
    """Unpack `archive` ("tgz" or "tar.zst") into the empty directory `tree`, as our own files.

    UserError when it is damaged, or holds a path, link or device that has no business there.
    """
    try:
        with opened(archive, form) as tar:
            for member in tar:
                take(tar, member, tree)
    except (tarfile.TarError, EOFError, CommandFailed) as error:
        raise UserError(f"{archive.name} cannot be unpacked: {error}", HINT) from None


@contextmanager
def opened(archive: Path, form: str) -> Iterator[tarfile.TarFile]:
    """Open the archive. Python reads no zstd before 3.14, the program does; nothing but the tree is written."""
    if form == "tgz":
        with tarfile.open(archive, "r:gz") as tar:
            yield tar
        return
    argv = [require_program("zstd", "apt-get install zstd"), "-dqc", str(archive)]
    with spawn(argv, Spawning(stdout=subprocess.PIPE, stderr=subprocess.PIPE)) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        with tarfile.open(fileobj=child.stdout, mode="r|") as tar:
            yield tar
        while child.stdout.read(CHUNK):  # what pads the archive, or zstd ends by a broken pipe
            pass
        said = child.stderr.read()
        if child.wait(UNZSTD_LIMIT_S) != 0:
            raise CommandFailed(argv, child.returncode, said)


def take(tar: tarfile.TarFile, member: tarfile.TarInfo, tree: Path) -> None:
    """Unpack one member, or refuse the archive."""
    path = inside(tree, tree / member.name, member)
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        path.mkdir(exist_ok=True)
    elif member.issym():
        inside(tree, path.parent / member.linkname, member)
        path.symlink_to(member.linkname)
    elif member.islnk():
        os.link(inside(tree, tree / member.linkname, member), path, follow_symlinks=False)
    elif member.isfile():
        content = tar.extractfile(member)
        if content is None:  # cannot be: only what is neither file nor link has none
            raise refused(member, "has no content")
        write(path, content, member.mode & MODE)
    else:
        raise refused(member, "is a device or a pipe")


def inside(tree: Path, path: Path, member: tarfile.TarInfo) -> Path:
    """Return `path` when neither its words nor the links on its way lead out of `tree`."""
    plain = Path(os.path.normpath(path))
    root = Path(os.path.realpath(tree))
    place = Path(os.path.realpath(plain.parent))
    if plain != tree and place != root and root not in place.parents:
        raise refused(member, "leads out of the archive")
    return plain


def write(path: Path, content: IO[bytes], mode: int) -> None:
    """Write one file; an older member of the same name, a link perhaps, is replaced and not followed."""
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        while chunk := content.read(CHUNK):
            file.write(chunk)
    path.chmod(mode | 0o400)


def refused(member: tarfile.TarInfo, why: str) -> UserError:
    """The refusal of a whole archive."""
    return UserError(f"the archive's member {member.name!r} {why}", HINT)
