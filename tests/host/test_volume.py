"""A device that somebody uses is never written: loop devices that are mounted, claimed, or whose partition is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from primetime.campaign.linux_device import LinuxDevice
from primetime.errors import CommandFailed, UserError
from primetime.host.ledger import Ledger
from primetime.host.lock import device_lock
from primetime.host.process import run
from primetime.host.rawdisk import opened, overwrite_randomly
from primetime.host.undo import open_ledger
from primetime.host.volume import loop_device, make_file_system, open_volume
from primetime.model import VolumeSpec

SIZE = 64 * 1024 * 1024
LIMIT_S = 30.0
BEYOND = b"somebody else's"
PIECE = 4096
PARTITION = (2048, 102400)  # first sector and sectors


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


@pytest.fixture
def loop(tmp_path: Path, ledger: Ledger) -> Iterator[Path]:
    """A loop device of one partition, which is there when the test asks for it."""
    file = tmp_path / "disk.img"
    with file.open("wb") as out:
        out.truncate(SIZE)
    with loop_device(file, ledger) as device:
        yield device


@contextmanager
def mounted(device: Path, place: Path) -> Iterator[None]:
    """An ext4 of somebody else's, in use."""
    place.mkdir()
    run(["mkfs.ext4", "-q", "-F", str(device)], timeout_s=LIMIT_S)
    run(["mount", "-o", "ro", str(device), str(place)], timeout_s=LIMIT_S)  # so that it does not write either
    try:
        yield
    finally:
        run(["umount", str(place)], timeout_s=LIMIT_S)


@contextmanager
def partition_of(disk: Path) -> Iterator[Path]:
    """Cut a partition from a disk, as a partition table would."""
    first, sectors = PARTITION
    argv = ["addpart", str(disk), "1", str(first), str(sectors)]
    run(argv, timeout_s=LIMIT_S)
    try:
        yield Path(f"{disk}p1")
    finally:
        run(["delpart", str(disk), "1"], timeout_s=LIMIT_S)


def refusal(device: Path, ledger: Ledger) -> UserError:
    """What is said when a study names a device in use; whatever would write to it must fail as well."""
    before = device.read_bytes()
    with (
        pytest.raises(UserError) as refused,
        open_volume(VolumeSpec("partition", str(device), SIZE, True), True, ledger),
    ):
        pass
    with pytest.raises(OSError, match="busy"):
        overwrite_randomly(device, SIZE)
    for discard in (False, True):
        with pytest.raises(CommandFailed):
            make_file_system(device, SIZE, discard)
    assert device.read_bytes() == before
    return refused.value


@pytest.mark.parametrize("use", ["mounted", "by another name", "claimed", "a partition of it is mounted"])
def test_a_device_in_use_is_refused(use: str, loop: Path, ledger: Ledger, tmp_path: Path) -> None:
    named = loop
    with ExitStack() as stack:
        if use == "claimed":  # as swap, device mapper, RAID and whatever else takes a device for itself
            stack.enter_context(opened(loop, os.O_RDONLY | os.O_EXCL))
        elif use.startswith("a partition"):
            stack.enter_context(mounted(stack.enter_context(partition_of(loop)), tmp_path / "mnt"))
        else:
            stack.enter_context(mounted(loop, tmp_path / "mnt"))
        if use == "by another name":
            named = tmp_path / "by-id"
            named.symlink_to(loop)
        error = refusal(named, ledger)
    assert error.message == f"volume.path {named} is in use"
    assert f"lsblk {named}" in error.hint


def test_a_free_device_is_taken_by_any_name_and_given_back(loop: Path, ledger: Ledger, tmp_path: Path) -> None:
    named = tmp_path / "by-id"
    named.symlink_to(loop)
    spec = VolumeSpec("partition", str(named), SIZE, True)
    with device_lock("tests"), open_volume(spec, True, ledger) as volume:
        with volume.fresh_disk() as disk:
            assert b"primetime" in disk.read_bytes()[:4096]
        assert overwrite_randomly(disk, SIZE) == SIZE
    with opened(loop, os.O_RDWR | os.O_EXCL):
        pass


def test_a_device_that_is_too_small_or_may_not_be_erased_is_refused(loop: Path, ledger: Ledger) -> None:
    for spec, words in (
        (VolumeSpec("partition", str(loop), 2 * SIZE, True), "holds 64 MiB"),
        (VolumeSpec("partition", str(loop), SIZE, False), "measuring erases it"),
    ):
        with pytest.raises(UserError, match=words), open_volume(spec, True, ledger):
            pass


@pytest.mark.parametrize("discard", ["never", "before-boot"])
def test_the_region_under_test_is_written_and_nothing_beyond_it(loop: Path, ledger: Ledger, discard: str) -> None:
    region = SIZE // 2
    with loop.open("r+b") as out:
        out.seek(region)
        out.write(BEYOND)
    spec = VolumeSpec("partition", str(loop), region, True, discard)
    with device_lock("tests"), open_volume(spec, True, ledger) as volume:
        assert volume.precondition(ledger) == 2 * region
        written = loop.read_bytes()
        assert all(any(written[at : at + PIECE]) for at in range(0, region, PIECE))
        with volume.fresh_disk() as disk:
            words = run(["dumpe2fs", "-h", str(disk)], timeout_s=LIMIT_S).stdout.decode()
        about = dict(line.split(":", 1) for line in words.splitlines() if ":" in line)
        assert int(about["Block count"]) * int(about["Block size"]) == region
        with volume.fresh_directory("b1", ledger) as directory:
            (directory / "file").write_bytes(BEYOND)
    assert loop.read_bytes()[region:] == BEYOND + bytes(region - len(BEYOND))


def test_filling_the_volume_counts_as_written(device: LinuxDevice) -> None:
    if not device.written_bytes():
        pytest.skip("the disk under the volume does not count what it writes")
    assert device.volume.image is not None
    assert device.written_bytes() - device.booked_bytes >= device.volume.size_bytes
