"""The storage under test (contract §1), the same for all environments, with a fresh ext4 before every boot.

`image`: native and containers get a directory of the host's file system, VMs one fully written image file
in the same file system. `partition`: one block device, or a fully written region behind a loop device,
which native and containers mount and VMs get as a disk. What is left behind can only lie in one named
directory of the volume's path.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from primetime.errors import UserError
from primetime.host.knobs import chosen
from primetime.host.ledger import RUN_DIRECTORY, Act, Ledger
from primetime.host.mounts import read_mounts
from primetime.host.process import run
from primetime.host.rawdisk import opened, overwrite_randomly, write_fully
from primetime.model import Fact, Scalar, VolumeSpec

DEVICES = Path("/dev")
OWN_DIRECTORY = Path("/var/lib/primetime")  # made where it is not
DIRECTORY_NAME = "primetime-volume"  # the only place where a power cut can leave something of ours
MKFS_OPTIONS = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"  # discard would punch holes into the image
MOUNT_OPTIONS = "rw,relatime,data=ordered"
NOT_STORAGE = ("tmpfs", "ramfs", "devtmpfs", "overlay", "proc", "sysfs")
PLAIN = "none"  # the one I/O scheduler that every kernel has
WRITTEN_SECTORS, SECTOR = 6, 512  # Documentation/block/stat.rst
EXT4_BLOCK = 4096  # its largest on every architecture, and a multiple of every logical block
RESERVE = 512 * 1024 * 1024  # left free for everybody else


@dataclass(frozen=True, slots=True)
class Volume:
    """An open volume. `directory` is ours; `image` is None when no environment wants a disk.

    `device` is the block device under test in partition mode, None in image mode: its first `size_bytes` are
    tested, what lies beyond is never touched. `filled`: all of them have been written since it was opened.
    """

    directory: Path
    size_bytes: int
    image: Path | None
    device: Path | None = None
    discard: bool = False
    filled: bool = True

    @property
    def tested(self) -> Path:
        """A path on the storage under test: what facts and the disk instrument look at."""
        return self.device or self.directory

    @contextmanager
    def fresh_directory(self, name: str, ledger: Ledger) -> Iterator[Path]:
        """Yield a new, empty directory: on the host's file system, or on a fresh ext4 of the device."""
        path = self.directory / name
        with ExitStack() as stack:
            stack.enter_context(ledger.undone(Act("tree", {"path": str(path)})))
            path.mkdir()
            if self.device is None:
                yield path
                return
            make_file_system(self.device, self.size_bytes, self.discard)
            stack.enter_context(ledger.undone(Act("mount", {"path": str(path)})))
            run(["mount", "-t", "ext4", "-o", MOUNT_OPTIONS, str(self.device), str(path)], timeout_s=60)
            (path / "data").mkdir()
            yield path / "data"

    @contextmanager
    def fresh_disk(self) -> Iterator[Path]:
        """Yield the image file or the device, with a new ext4 in it."""
        disk = self.device or self.image
        if disk is None:
            raise ValueError("this volume was opened without an image")
        make_file_system(disk, self.size_bytes, self.discard)
        yield disk

    def precondition(self, ledger: Ledger) -> int:
        """Fill the region under test in order, then overwrite it at random (contract §6); return the bytes written."""
        region = self.device or self.image
        if region is None:
            with self.fresh_directory("precondition", ledger) as directory:
                write_fully(directory / "fill", self.size_bytes)
                return self.size_bytes + overwrite_randomly(directory / "fill", self.size_bytes)
        if not self.filled:
            write_fully(region, self.size_bytes)
        return self.size_bytes + overwrite_randomly(region, self.size_bytes)


def make_file_system(disk: Path, size_bytes: int, discard: bool) -> None:
    """Make the same ext4 as for everybody in a disk's first bytes; `discard`: tell it first that none is needed.

    Both programs refuse a device that somebody has claimed since it was opened (blkdiscard from util-linux 2.36 on).
    """
    region = size_bytes // EXT4_BLOCK * EXT4_BLOCK
    if discard:
        run(["blkdiscard", "--length", str(region), str(disk)], timeout_s=300)
    argv = ["mkfs.ext4", "-F", "-q", "-E", MKFS_OPTIONS, "-L", "primetime", str(disk), f"{region // 1024}k"]
    run(argv, timeout_s=300)


@contextmanager
def open_volume(spec: VolumeSpec, disk: bool, ledger: Ledger) -> Iterator[Volume]:
    """Make what the study's [volume] asks for, and remove it at the end. `disk`: some environment wants one.

    UserError when the path is no storage, has too little room, or is a device that may not be erased.
    """
    path = Path(spec.path)
    if spec.mode == "partition" and path.is_relative_to(DEVICES) and not path.exists():
        raise UserError(f"volume.path {path}: there is no such device", "lsblk shows those that are there")
    if spec.mode == "partition" and path.is_block_device():
        check_device(path, spec)
        with ledger_directory(RUN_DIRECTORY / "volume", ledger) as directory:
            yield Volume(directory, spec.size_bytes, None, path, spec.discard == "before-boot", filled=False)
        return
    needs_file = disk or spec.mode == "partition"
    check_path(path, spec.size_bytes * (2 if needs_file else 1))
    with ExitStack() as stack:
        directory = stack.enter_context(ledger_directory(path / DIRECTORY_NAME, ledger))
        file = directory / "volume.img" if needs_file else None
        if file is not None:
            write_fully(file, spec.size_bytes)
        if spec.mode == "image" or file is None:
            yield Volume(directory, spec.size_bytes, file)
            return
        loop = stack.enter_context(loop_device(file, ledger))
        yield Volume(directory, spec.size_bytes, None, loop, spec.discard == "before-boot")


@contextmanager
def ledger_directory(directory: Path, ledger: Ledger) -> Iterator[Path]:
    """Make a directory of ours; it is removed afterwards with all that is in it."""
    with ledger.undone(Act("tree", {"path": str(directory)})):
        if directory.exists():  # a power cut left it, and the ledger, which lies in memory, went with it
            shutil.rmtree(directory)
        directory.mkdir(mode=0o700, parents=True)
        yield directory


@contextmanager
def loop_device(file: Path, ledger: Ledger) -> Iterator[Path]:
    """Attach a file as a block device that goes past the host's page cache, as a partition would."""
    with ledger.undone(Act("loop", {"file": str(file)})):
        argv = ["losetup", "--find", "--show", "--direct-io=on", str(file)]
        yield Path(run(argv, timeout_s=30).stdout.decode().strip())


def check_device(device: Path, spec: VolumeSpec) -> None:
    """UserError unless a block device may be erased, is unused, and is as large as the study says."""
    if not spec.erase:
        raise UserError(f"volume.path {device} is a block device, and measuring erases it", "set volume.erase = true")
    try:
        # O_EXCL: the kernel refuses what is mounted, swapped to or part of something else, and the disk of such a
        # partition, in whatever mount namespace and by whatever name
        with opened(device, os.O_RDWR | os.O_EXCL) as descriptor:
            size = os.lseek(descriptor, 0, os.SEEK_END)
    except OSError as error:
        if error.errno != errno.EBUSY:
            reason = f"volume.path {device} cannot be opened: {error.strerror}"
            raise UserError(reason, "name a device that can be written") from None
        hint = f"lsblk {device} says by what: free it, or name another device"
        raise UserError(f"volume.path {device} is in use", hint) from None
    if size < spec.size_bytes:
        raise UserError(f"volume.path {device} holds {size >> 20} MiB", "lower volume.size in the study")


def check_path(path: Path, needed: int) -> None:
    """UserError unless `path` is a directory of a real file system with `needed` bytes to spare.

    At most its last part is made: a mistyped mount point must not become a directory of another disk.
    """
    own = path.is_relative_to(OWN_DIRECTORY)
    if not own and not path.parent.is_dir():
        raise UserError(f"volume.path {path}: there is no directory {path.parent}", "make it, or correct volume.path")
    try:
        path.mkdir(parents=own, exist_ok=True)
    except OSError as error:
        reason = f"volume.path {path} cannot be made: {error.strerror}"
        raise UserError(reason, "set volume.path in the study") from None
    kind = file_system(path)["type"]
    if kind in NOT_STORAGE:
        raise UserError(
            f"volume.path {path} lies on {kind}, which is no storage", "set volume.path to a directory on a disk"
        )
    status = os.statvfs(path)
    if status.f_flag & os.ST_RDONLY:
        hint = "mount it read-write, or set volume.path in the study"
        raise UserError(f"volume.path {path} lies on a file system that is mounted read-only", hint)
    free = status.f_bavail * status.f_frsize
    if free < needed + RESERVE:
        raise UserError(
            f"volume.path {path} has {free // 2**20} MiB free, {(needed + RESERVE) // 2**20} MiB are needed",
            "free some space, or lower volume.size in the study",
        )


def file_system(path: Path) -> dict[str, str]:
    """Return type, source, options and device ("254:0") of the file system that holds `path`."""
    if path.is_block_device():
        number = path.stat().st_rdev
        device = f"{os.major(number)}:{os.minor(number)}"
        return {"type": "block", "source": str(path), "options": "", "device": device}
    resolved = path.resolve()
    over = [one for one in read_mounts() if one.path == resolved or one.path in resolved.parents]
    if not over:  # in a chroot the root need not be a mount point
        number = resolved.stat().st_dev
        return {"type": "unknown", "source": "", "options": "", "device": f"{os.major(number)}:{os.minor(number)}"}
    best = max(reversed(over), key=lambda one: len(one.path.parts))  # of several at one place the latest is seen
    options = f"{best.options},{best.super_options}"
    return {"type": best.kind, "source": best.source, "options": options, "device": best.device}


def queue_directory(path: Path) -> Path | None:
    """Return /sys/…/queue of the disk under `path`; None where no block device can be named."""
    device = Path("/sys/dev/block", file_system(path)["device"])
    if not device.exists():
        return None
    disk = device.resolve()
    for candidate in (disk, disk.parent):  # a partition's queue is its disk's
        if (candidate / "queue").is_dir():
            return candidate / "queue"
    return None


def disk_written_bytes(path: Path) -> int:
    """Return what the disk under `path` has written since the host started; 0 where it does not count."""
    queue = queue_directory(path)
    stat = (queue.parent / "stat").read_text(encoding="ascii").split() if queue else []
    return int(stat[WRITTEN_SECTORS]) * SECTOR if stat else 0


def scheduler(queue: Path) -> str:
    """Return the I/O scheduler in force; "none" for a device that has none to choose (device mapper)."""
    file = queue / "scheduler"
    return chosen(file) if file.exists() else PLAIN


def logical_block(path: Path) -> int:
    """Return the smallest unit that O_DIRECT can address there, in bytes (512 where nobody says)."""
    queue = queue_directory(path)
    return int((queue / "logical_block_size").read_text(encoding="ascii")) if queue else 512


def open_volume_facts(volume: Volume) -> tuple[Fact, ...]:
    """Facts of the volume: mode, size, how it was made; the file system and disk are `host.facts`' part."""
    guest = volume.image or volume.device
    facts: dict[str, Scalar | None] = {
        "volume.mode": "partition" if volume.device else "image",
        "volume.size_bytes": volume.size_bytes,
        "volume.mkfs": f"mkfs.ext4 -E {MKFS_OPTIONS}" if guest else None,
        "volume.mount_options": MOUNT_OPTIONS if guest else None,
        "volume.discard": "before-boot" if volume.discard else "never",
        "volume.logical_block": logical_block(volume.tested),
    }
    if volume.image:
        facts["volume.image_allocated_bytes"] = volume.image.stat().st_blocks * 512
    return tuple(Fact(name, value) for name, value in facts.items())
