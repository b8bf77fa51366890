"""The userland: Debian 13's own files, the same for every environment and every architecture.

As a tree for native and containers, and as a read-only ext4 image of the same files for guests.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from primetime.errors import UserError
from primetime.host.process import run
from primetime.images import debian
from primetime.images.cache import Cache, about, file_hash, write_about
from primetime.images.disk import write_disk

FORMAT = 1  # to be raised when this module makes something else of the same packages
PACKAGES = (
    "base-files", "bash", "busybox-static", "coreutils", "dash", "e2fsprogs", "ethtool", "findutils", "fio",
    "golang-github-containers-common", "grep", "iperf3", "iproute2", "kmod", "libc-bin", "mount", "netperf", "procps",
    "python3", "runc", "runsc", "sed", "util-linux",
)  # fmt: skip
TRIMMED = (
    "boot", "etc/apt", "usr/lib/cni", "usr/share/bash-completion", "usr/share/bug", "usr/share/info",
    "usr/share/lintian", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt", "var/lib/dpkg",
    "var/log", "dev",
)  # fmt: skip
READY = "usr/lib/primetime/ready"
FILE_PROGRAM = "usr/lib/primetime/files"
SECCOMP = "usr/share/containers/seccomp.json"
PYTHON = "usr/bin/python3"
BUSYBOX = ("usr/bin/busybox", "bin/busybox")
MOUNT_POINTS = {"data": 0o755, "dev": 0o755, "proc": 0o555, "run": 0o755, "sys": 0o555, "tmp": 0o1777}
OWN_FILES = {  # what maintainer scripts would have made, and what would differ between hosts
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\ndisk:x:6:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/resolv.conf": "",
    "etc/hostname": "primetime\n",
    "etc/machine-id": "",
    "etc/fstab": "",
}
OWN_LINKS = {"etc/mtab": "../proc/self/mounts", "var/run": "/run"}


@dataclass(frozen=True, slots=True)
class Userland:
    """A finished entry. `tree_hash` names the files' content, modes and owners, not their times."""

    tree: Path
    disk: Path
    manifest: Mapping[str, str]
    tree_hash: str

    def file(self, *candidates: str) -> Path | None:
        """Return the first of these paths that the tree has, or None."""
        return next((self.tree / name for name in candidates if (self.tree / name).is_file()), None)


def interpreter(tree: Path, at: PurePosixPath) -> tuple[str, ...]:
    """The argv that starts the tree's Python on a foreign host, through the tree's own loader, once it lies `at` there.

    UserError for a tree without one.
    """
    loader = next(tree.glob("usr/lib/*-linux-gnu*/ld-linux-*.so.*"), None)
    if loader is None or not (tree / PYTHON).exists():
        raise UserError(f"{tree} holds no Python with its loader", "leave images.userland out: Debian's has one")
    libraries = at / loader.parent.relative_to(tree)
    # -B: the tree stays as it was built, also where it is not mounted read-only
    return str(libraries / loader.name), "--library-path", str(libraries), str(at / PYTHON), "-B"


def package_data(name: str) -> bytes:
    """Return one of our own files that travel with the package."""
    return files("primetime.images").joinpath("data", name).read_bytes()


def debian_userland(cache: Cache, architecture: str, program: Path | None = None) -> Userland:
    """Return the Debian userland, building it when it is absent (about 20 s and 500 MB of room).

    `program`: that of the workload `files`, where there is one.
    """
    material = {
        "format": FORMAT,
        "suite": debian.SUITE,
        "architecture": architecture,
        "packages": list(PACKAGES),
        "own": {**OWN_FILES, **OWN_LINKS, READY: package_data("ready").decode(), FILE_PROGRAM: hash_of(program)},
    }

    def build(entry: Path) -> None:
        tree = entry / "tree"
        tree.mkdir(mode=0o755)
        debian.unpack(tree, architecture, PACKAGES)
        manifest = debian.take_manifest(tree)
        trim(tree)
        for name, content in OWN_FILES.items():
            replace(tree / name, content.encode())
        for name, target in OWN_LINKS.items():
            link(tree / name, target)
        finish(entry, manifest, program)

    return opened(cache.entry(f"userland-{architecture}", material, build))


def own_userland(cache: Cache, directory: Path, program: Path | None = None) -> Userland:
    """Return a copy of a user's own tree with the few files that primetime needs in it."""
    if not directory.is_dir():
        raise UserError(
            f"images.userland {directory} is not a directory", "unpack the image's root file system and name that"
        )
    material = {
        "format": FORMAT,
        "listing": listing_hash(directory),
        "ready": package_data("ready").decode(),
        "files": hash_of(program),
    }

    def build(entry: Path) -> None:
        run(["cp", "--archive", "--one-file-system", str(directory), str(entry / "tree")], timeout_s=600)
        finish(entry, {}, program)

    return opened(cache.entry("userland-own", material, build))


def opened(entry: Path) -> Userland:
    """Read a finished entry. UserError when it is damaged."""
    told = about(entry, {"manifest": dict, "tree_hash": str})
    return Userland(entry / "tree", entry / "disk.img", told["manifest"], told["tree_hash"])


def hash_of(program: Path | None) -> str:
    """What tells one build of a program from another; "" where there is none."""
    return file_hash(program) if program else ""


def finish(entry: Path, manifest: Mapping[str, str], program: Path | None) -> None:
    """Add what every userland of ours has, and make the disk of the tree."""
    tree = entry / "tree"
    for name, mode in MOUNT_POINTS.items():
        (tree / name).mkdir(exist_ok=True)
        (tree / name).chmod(mode)
    replace(tree / READY, package_data("ready"), 0o755)
    if program:
        replace(tree / FILE_PROGRAM, program.read_bytes(), 0o755)
    write_disk(tree, entry / "disk.img")
    told = {"manifest": dict(manifest), "tree_hash": tree_hash(tree)}
    write_about(entry, told)


def replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file of ours, in place of a link that a package may have put there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def link(path: Path, target: str) -> None:
    """Make a symbolic link, in place of what a package may have put there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def trim(tree: Path) -> None:
    """Remove what no measurement reads: documentation, translations, package lists. Licences stay."""
    for name in TRIMMED:
        if (tree / name).exists():
            shutil.rmtree(tree / name)
    for path in sorted((tree / "usr/share/doc").rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.name != "copyright":
            path.unlink()


def walk(tree: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file and directory below `tree` by relative name, in the order of names."""
    for directory, names, filenames in os.walk(tree):
        names.sort()
        for name in sorted([*names, *filenames]):
            path = Path(directory, name)
            yield str(path.relative_to(tree)), path.lstat()


def tree_hash(tree: Path) -> str:
    """Return the SHA-256 of all names, modes, owners, link targets and contents; times are no part of it."""
    digest = hashlib.sha256()
    for name, status in sorted(walk(tree)):
        path = tree / name
        content = ""
        if stat.S_ISREG(status.st_mode):
            content = file_hash(path)
        elif stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        digest.update(f"{name}\0{status.st_mode:o} {status.st_uid} {status.st_gid}\0{content}\n".encode())
    return digest.hexdigest()


def listing_hash(tree: Path) -> str:
    """Return a quick hash of names, sizes and times: whether a user's tree has changed."""
    digest = hashlib.sha256()
    for name, status in walk(tree):
        digest.update(f"{name}\0{status.st_mode:o} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
