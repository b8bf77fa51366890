"""A thin pool of the device mapper on two files: what containerd's devmapper snapshotter cuts block devices from.

The files are preallocated, not written: writing them at every boot would wear the medium under test for nothing.
Without udev (as in small images) nobody answers the device mapper's notices, so they are switched off.
Source: Linux Documentation/admin-guide/device-mapper/thin-provisioning.rst.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from primetime.host.ledger import Act, Ledger
from primetime.host.process import Spawning, find_program, run
from primetime.host.volume import loop_device

WITHOUT_UDEV = Spawning(env={"DM_DISABLE_UDEV": "1"})
SECTOR = 512
BLOCK_SECTORS = 128  # 64 KiB, the smallest that the kernel takes
LOW_WATER = 1024
METADATA_BYTES = 64 * 1024 * 1024
STEP_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class ThinPool:
    """What to make. `name`: unique on this device; `directory`: where its files go, on the volume."""

    name: str
    directory: Path
    size_bytes: int


@contextmanager
def thin_pool(pool: ThinPool, ledger: Ledger) -> Iterator[None]:
    """Make the pool, and remove it with every device that was cut from it. Raises CommandFailed, OSError."""
    with ExitStack() as stack:
        devices = []
        for name, size in (("pool-metadata", METADATA_BYTES), ("pool-data", pool.size_bytes)):
            file = pool.directory / name
            preallocate(file, size)
            devices.append(str(stack.enter_context(loop_device(file, ledger))))
        stack.enter_context(ledger.undone(Act("thin-pool", {"name": pool.name})))
        table = pool_table(pool.size_bytes, *devices)
        run(["dmsetup", "create", pool.name, "--table", table], timeout_s=STEP_LIMIT_S, spawning=WITHOUT_UDEV)
        yield


def preallocate(file: Path, size: int) -> None:
    """Make a file whose blocks are all taken, with nothing written but what the device mapper wants to see: zeros."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


def pool_table(size_bytes: int, metadata: str, data: str) -> str:
    """The device mapper's line for a pool."""
    return f"0 {size_bytes // SECTOR} thin-pool {metadata} {data} {BLOCK_SECTORS} {LOW_WATER} 1 skip_block_zeroing"


def device_names(listed: str, pool: str) -> list[str]:
    """The devices of a pool in what `dmsetup ls` prints: those cut from it, youngest first, then the pool itself."""
    names = [line.split("\t")[0] for line in listed.splitlines() if "\t" in line]
    cut = [name for name in names if name.startswith(f"{pool}-snap-")]
    return [*sorted(cut, key=lambda name: (len(name), name), reverse=True), *(name for name in names if name == pool)]


def missing_thin_pool() -> tuple[str, str]:
    """What keeps this device from making one, and the command that mends it; ("", "") when nothing does."""
    if find_program("dmsetup") is None:
        return "dmsetup is not installed", "apt-get install dmsetup"
    run(["modprobe", "--quiet", "dm_thin_pool"], timeout_s=STEP_LIMIT_S, check=False)
    listed = run(["dmsetup", "targets"], timeout_s=STEP_LIMIT_S, check=False, spawning=WITHOUT_UDEV)
    if "thin-pool" not in listed.stdout.decode():
        return "this kernel has no device mapper with thin pools", "use a kernel with CONFIG_DM_THIN_PROVISIONING"
    return "", ""


def remove_thin_pool(name: str) -> None:
    """Remove a pool and what was cut from it. Raises CommandFailed when something still uses it."""
    if find_program("dmsetup") is None:
        return
    listed = run(["dmsetup", "ls"], timeout_s=STEP_LIMIT_S, check=False, spawning=WITHOUT_UDEV).stdout.decode()
    for device in device_names(listed, name):
        run(["dmsetup", "remove", "--retry", device], timeout_s=STEP_LIMIT_S, spawning=WITHOUT_UDEV)
