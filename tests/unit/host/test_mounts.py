"""What is read of /proc/self/mountinfo; that a mount with such a name is undone is in tests/host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from primetime.host.mounts import mounts_below, parse_mounts, read_mounts
from primetime.host.volume import file_system

LINE = b"41 24 254:0 / %s rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("/home/josé/volume".encode(), "/home/josé/volume"),
        (rb"/mnt/two\040words\134and\011a\012third", "/mnt/two words\\and\ta\nthird"),
        (b"/mnt/caf\xe9", os.fsdecode(b"/mnt/caf\xe9")),
    ],
)
def test_a_mount_point_of_any_name(written: bytes, name: str) -> None:
    (mount,) = parse_mounts(LINE % written)
    assert mount.path == Path(name)
    assert (mount.device, mount.kind, mount.source) == ("254:0", "ext4", "/dev/vda")
    assert (mount.options, mount.super_options) == ("rw,relatime", "rw,discard")


def test_the_file_system_of_a_path_is_that_of_the_nearest_mount() -> None:
    proc = next(mount for mount in read_mounts() if mount.path == Path("/proc"))
    found = file_system(Path("/proc/self/net"))
    assert (found["type"], found["device"]) == ("proc", proc.device)


def test_mounts_below_a_path_that_is_named_by_a_link(tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to("/proc")
    assert mounts_below(link)[-1] == Path("/proc")
    assert mounts_below(tmp_path / "nothing") == []
