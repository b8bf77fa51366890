"""Unpacking a stranger's archive: nothing may lie, or lead, outside the directory it is unpacked into."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from primetime.errors import CommandFailed, UserError
from primetime.host.process import Spawning, require_program, spawn

UNZSTD_LIMIT_S = 1800.0
CHUNK = 2**20
MODE = 0o755  # no setuid, nothing for others to write
CONTRADICTIONS = (  # between an archive's own members; anything else, a full disk say, is not the archive's
    errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG, errno.EPERM, errno.EMLINK,
)  # fmt: skip
HINT = "do not use this archive; fetch it from its makers again"


def unpack_tar(archive: Path, form: str, tree: Path) -> None:
    """Unpack `archive` ("tgz" or "tar.zst") into the empty directory `tree`, as our own files.

    UserError when it is damaged, or holds a path, link or device that has no business there.
    """
    try:
        with opened(archive, form) as tar:
            for member in tar:
                take(tar, member, tree)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, CommandFailed) as error:
        raise UserError(f"{archive.name} cannot be unpacked: {error}", HINT) from None


@contextmanager
def opened(archive: Path, form: str) -> Iterator[tarfile.TarFile]:
    """Open the archive; leaving reads on to its end, where its checksum stands. Nothing but the tree is written."""
    with gzip.open(archive) if form == "tgz" else unzstd(archive) as content:
        with tarfile.open(fileobj=content, mode="r|") as tar:
            yield tar
        drain(content)


@contextmanager
def unzstd(archive: Path) -> Iterator[IO[bytes]]:
    """Yield the content. Python reads no zstd before 3.14, the program does. CommandFailed in the program's words."""
    program = require_program("zstd", "apt-get install zstd")
    argv = [program, "-dqc", str(archive.absolute())]  # a child has a working directory of its own
    with spawn(argv, Spawning(stdout=subprocess.PIPE, stderr=subprocess.PIPE)) as child:
        assert child.stdout is not None
        try:
            yield child.stdout
        except (tarfile.TarError, EOFError):  # perhaps only what follows from zstd's failure
            require_success(argv, child)
            raise
        require_success(argv, child)


def require_success(argv: Sequence[str], child: subprocess.Popen[bytes]) -> None:
    """Let the program come to its end; CommandFailed when that is a bad one."""
    assert child.stdout is not None
    assert child.stderr is not None
    drain(child.stdout)  # or it ends by a broken pipe
    said = child.stderr.read()
    if child.wait(UNZSTD_LIMIT_S) != 0:
        raise CommandFailed(argv, child.returncode, said)


def drain(content: IO[bytes] | gzip.GzipFile) -> None:
    """Read to the end: what pads an archive, and what is checked only there."""
    while content.read(CHUNK):
        pass


def take(tar: tarfile.TarFile, member: tarfile.TarInfo, tree: Path) -> None:
    """Unpack one member, or refuse the archive."""
    try:
        put(tar, member, tree)
    except OSError as error:
        if error.errno not in CONTRADICTIONS:
            raise
        raise refused(member, f"cannot be unpacked: {error.strerror}") from None


def put(tar: tarfile.TarFile, member: tarfile.TarInfo, tree: Path) -> None:
    """Unpack one member. UserError for what has no business there, OSError for what does not go with the others."""
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
