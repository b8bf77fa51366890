"""A board's disk: Debian 13 from packages, unpacked for any architecture without running any of it.

What a distribution's scripts would have made is written by us; services are busybox init's.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from primetime.host.lock import require_root
from primetime.host.process import Spawning, require_program, run
from primetime.images import debian
from primetime.images.cache import Cache, Material, key
from primetime.images.initrd import guest_initrd
from primetime.images.kernel import Kernel, debian_kernel
from primetime.images.userland import BUSYBOX, MOUNT_POINTS, OWN_FILES, link, replace, trim

FORMAT = 1  # to be raised when this module makes something else of the same packages
PACKAGES = (
    "base-files", "bash", "busybox-static", "containerd", "coreutils", "crun", "dash", "dmsetup", "e2fsprogs",
    "ethtool", "findutils", "grep", "gzip", "iproute2", "iputils-ping", "kmod", "libc-bin", "login", "mount",
    "nftables", "openssh-server", "passwd", "procps", "python3", "runc", "sed", "tar", "thin-provisioning-tools",
    "util-linux",
)  # fmt: skip
EMULATORS = {"amd64": "qemu-system-x86", "arm64": "qemu-system-arm"}  # for the board's own guests
DISK_BYTES = 16 << 30  # sparse; as much as a Jetson Nano's eMMC
FEATURES = "has_journal,extent,64bit,flex_bg,huge_file,dir_nlink,extra_isize,metadata_csum"  # Debian's, said
DISK_LIMIT_S = 600.0
DEPMOD_LIMIT_S = 120.0
BOARD_FILES = {  # our own, from lab/data: where they go, and their mode
    "board-start": ("usr/lib/primetime/board-start", 0o755),
    "inittab": ("etc/inittab", 0o644),
    "sshd_config": ("etc/ssh/sshd_config", 0o644),
}
ACCOUNTS = {
    **OWN_FILES,
    "etc/passwd": OWN_FILES["etc/passwd"] + "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\nnobody:*:20000:0:99999:7:::\nsshd:*:20000:0:99999:7:::\n",
    "etc/shells": "/bin/sh\n/bin/bash\n",
}
BUSYBOX_SERVES = {  # what no package here brings; init's own names come first
    "usr/sbin": ("init", "halt", "poweroff", "reboot", "syslogd"),
    "usr/bin": ("awk", "hostname", "less", "vi", "which", "nc", "wget", "xz"),
}
LINKS = {"etc/mtab": "../proc/self/mounts", "var/run": "/run"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a new board is copied from: entries of the cache."""

    disk: Path
    kernel: Path
    initrd: Path


def board_data(name: str) -> bytes:
    """Return one of the files that travel with this room."""
    return files("primetime.lab").joinpath("data", name).read_bytes()


def material(architecture: str) -> Material:
    """What a board's disk is made from."""
    return {
        "format": FORMAT,
        "suite": debian.SUITE,
        "architecture": architecture,
        "packages": packages(architecture),
        "size": DISK_BYTES,
        "own": {**ACCOUNTS, **LINKS, **{name: board_data(name).decode() for name in BOARD_FILES}},
        "busybox": {directory: list(names) for directory, names in BUSYBOX_SERVES.items()},
    }


def recipe(architecture: str) -> str:
    """Return the hash of what this version of primetime makes a board's disk from, the kernel's package apart."""
    return key(material(architecture))


def packages(architecture: str) -> list[str]:
    """All packages of a board; the kernel comes apart."""
    return [*PACKAGES, EMULATORS[architecture]]


def board_parts(cache: Cache, architecture: str) -> Parts:
    """Return the parts, building what the cache lacks (about a minute and 2 GB of room).

    UserError without root, mmdebstrap or the network.
    """
    kernel = debian_kernel(cache, architecture)
    made_from = {**material(architecture), "kernel": kernel.sha256}
    entry = cache.entry(f"board-{architecture}", made_from, lambda part: build(part, architecture, kernel))
    initrd = guest_initrd(cache, kernel, entry / "busybox")
    return Parts(entry / "disk.img", kernel.image, initrd.image)


def build(entry: Path, architecture: str, kernel: Kernel) -> None:
    """Fill a cache entry: the disk, and the busybox for the initrd."""
    require_root("lab up")
    tree = entry / "tree"
    tree.mkdir(mode=0o755)
    debian.unpack(tree, architecture, packages(architecture))
    trim(tree)
    busybox = next(tree / name for name in BUSYBOX if (tree / name).is_file())
    shutil.copy(busybox, entry / "busybox")
    furnish(tree)
    add_kernel(tree, kernel)
    make_disk(tree, entry / "disk.img")
    shutil.rmtree(tree)


def furnish(tree: Path) -> None:
    """Write what maintainer scripts would have made, and our services."""
    for name, mode in MOUNT_POINTS.items():
        (tree / name).mkdir(exist_ok=True)
        (tree / name).chmod(mode)
    (tree / "var/log").mkdir(exist_ok=True)
    for name, content in ACCOUNTS.items():
        replace(tree / name, content.encode(), 0o640 if name == "etc/shadow" else 0o644)
    for name, (place, mode) in BOARD_FILES.items():
        replace(tree / place, board_data(name), mode)
    for name, target in LINKS.items():
        link(tree / name, target)
    for directory, names in BUSYBOX_SERVES.items():
        for name in names:
            if not (tree / directory / name).exists():
                link(tree / directory / name, "/usr/bin/busybox")


def add_kernel(tree: Path, kernel: Kernel) -> None:
    """Add modules with their index, and the image where the host's own kernel is looked for (a guest may use it)."""
    program = require_program("depmod", "apt-get install kmod")
    if kernel.modules is not None:
        shutil.copytree(kernel.modules, tree / "usr/lib/modules" / kernel.version, symlinks=True)
    (tree / "boot").mkdir(exist_ok=True)
    shutil.copy(kernel.image, tree / "boot" / f"vmlinuz-{kernel.version}")
    if kernel.config is not None:
        shutil.copy(kernel.config, tree / "boot" / f"config-{kernel.version}")
    run([program, "--basedir", str(tree), kernel.version], timeout_s=DEPMOD_LIMIT_S)


def make_disk(tree: Path, disk: Path) -> None:
    """Make a journalled ext4 of the tree in a sparse file.

    The file is all zeros, so no inode table need be written, neither now nor in the background on the board.
    """
    program = require_program("mke2fs", "apt-get install e2fsprogs")
    argv = [
        program, "-q", "-F", "-t", "ext4", "-O", FEATURES, "-I", "256", "-m", "1", "-L", "board",
        "-E", "assume_storage_prezeroed=1,root_owner=0:0",
        "-d", str(tree), str(disk), f"{DISK_BYTES // 1024}k",
    ]  # fmt: skip
    run(argv, timeout_s=DISK_LIMIT_S, spawning=Spawning(env={"MKE2FS_CONFIG": "/dev/null"}))
