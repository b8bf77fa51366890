"""Firecracker's jailer: a chroot with only what the guest needs, and an unprivileged user.

The chroot is a small file system of its own: /run, where our boots live, often allows neither devices nor
programs. Images are bound into it read-only; the volume keeps its owner, so its node, or the file, is given to
the jail's user for the time of the boot. Source: Firecracker docs/jailer.md (1.16).
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primetime.environments.base import BootContext, failing_as
from primetime.environments.firecracker_config import Places
from primetime.environments.known_bad import Trouble
from primetime.host.cgroup import Hierarchy
from primetime.host.ledger import Act
from primetime.host.process import run

USER = 61700  # nobody's: between systemd's dynamic users and its containers'
SIZE = "64m"  # Firecracker's own program and its files
MOUNT_LIMIT_S = 20.0
TUNSETIFF, TUNSETOWNER = 0x400454CA, 0x400454CC
TAP_FLAGS = 0x0002 | 0x1000 | 0x4000  # IFF_TAP, IFF_NO_PI, IFF_VNET_HDR
INTERPRETER = 3  # PT_INTERP
KERNEL, INITRD, USERLAND, VOLUME = "kernel", "initrd", "userland", "volume"


@contextmanager
def jail(context: BootContext, program: Path, kernel: Path) -> Iterator[Places]:
    """Make the chroot that the jailer will take over; yield where things lie in it. Raises BootFailed."""
    base = context.directory / "jail"
    root = base / program.name / context.name / "root"
    base.mkdir()
    with context.ledger.undone(Act("mount", {"path": str(base)})):
        with failing_as("jail"):
            furnish(context, base, root, kernel)
        inside = [Path("/", name) for name in ("own", KERNEL, INITRD, USERLAND, VOLUME)]
        yield Places(root, *inside)


def furnish(context: BootContext, base: Path, root: Path, kernel: Path) -> None:
    """Mount the jail at `base` and put into its `root` what the guest needs. Raises CommandFailed, OSError."""
    run(["mount", "-t", "tmpfs", "-o", f"mode=755,size={SIZE}", "tmpfs", str(base)], timeout_s=MOUNT_LIMIT_S)
    root.mkdir(parents=True)
    for name, path in ((KERNEL, kernel), (INITRD, context.images.initrd), (USERLAND, context.images.disk)):
        bind(path, root / name)
    lend_volume(context.volume, root / VOLUME)
    lend_tap(context.connection.interface)
    own = root / "own"
    own.mkdir()
    os.chown(own, USER, USER)


def bind(path: Path, place: Path) -> None:
    """Show a file of the host at `place`, read-only."""
    place.touch()
    run(["mount", "--bind", str(path), str(place)], timeout_s=MOUNT_LIMIT_S)
    run(["mount", "-o", "remount,bind,ro", str(place)], timeout_s=MOUNT_LIMIT_S)


def lend_volume(volume: Path, place: Path) -> None:
    """Give the volume to the jail's user: a node of its own for a device; a file, made anew for each boot, itself."""
    about = volume.stat()
    if stat.S_ISBLK(about.st_mode):
        os.mknod(place, stat.S_IFBLK | 0o600, about.st_rdev)
        os.chown(place, USER, USER)
        return
    os.chown(volume, USER, USER)
    place.touch()
    run(["mount", "--bind", str(volume), str(place)], timeout_s=MOUNT_LIMIT_S)


def lend_tap(interface: str) -> None:
    """Make the jail's user the owner of a tap, who alone may attach to it without privileges. OSError.

    It must be asked for with the flags it was made with (host/network.py). Source: Linux tun.rst, if_tun.h.
    """
    if not interface:
        return
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", interface.encode(), TAP_FLAGS))
        fcntl.ioctl(descriptor, TUNSETOWNER, USER)
    finally:
        os.close(descriptor)


def jailer_argv(context: BootContext, jailer: Path, program: Path) -> list[str]:
    """Return the command line up to what Firecracker itself is told. The process is in its cgroup already."""
    return [
        str(jailer),
        "--id", context.name,
        "--exec-file", str(program),
        "--uid", str(USER), "--gid", str(USER),
        "--chroot-base-dir", str(context.directory / "jail"),
        *cgroup_words(context.cgroup.hierarchy, context.cgroup.name),
        "--",
    ]  # fmt: skip


def cgroup_words(hierarchy: Hierarchy, name: str) -> list[str]:
    """Return what keeps the jailer from making cgroups of its own: under version 2 it is told ours."""
    return ["--cgroup-version", "2", "--parent-cgroup", name] if hierarchy.version == 2 else []


def jail_troubles(jailer: Path | None, program: Path) -> Iterator[Trouble]:
    """Yield what keeps a program from being jailed: no jailer, or a loader that the chroot does not have."""
    install = "primetime tools install firecracker"
    if jailer is None:
        yield Trouble("Firecracker's jailer is not installed", install)
    if needs_loader(program):
        yield Trouble(f"{program} is linked dynamically, and the jail holds no libraries", install)


def needs_loader(program: Path) -> bool:
    """Whether a 64-bit ELF names an interpreter (PT_INTERP, elf(5))."""
    content = program.read_bytes()
    table = struct.unpack_from("<Q", content, 0x20)[0]
    size, count = struct.unpack_from("<HH", content, 0x36)
    return any(struct.unpack_from("<I", content, table + size * index)[0] == INTERPRETER for index in range(count))
