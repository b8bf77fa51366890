"""What is read of the device under a volume."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from primetime.errors import UserError
from primetime.host.undo import open_ledger
from primetime.host.volume import NOT_STORAGE, check_path, file_system, open_volume, scheduler
from primetime.model import VolumeSpec

HERE = Path(__file__).resolve().parent
READ_ONLY = f'mount --bind {HERE} {HERE} && mount -o remount,bind,ro {HERE} && exec "$@"'
CHECK = f"""
from pathlib import Path
from primetime.errors import UserError
from primetime.host.volume import check_path
try:
    check_path(Path({str(HERE)!r}), 1)
except UserError as error:
    print(error.message, error.hint, sep="; ")
"""


def test_the_scheduler_in_force(tmp_path: Path) -> None:
    (tmp_path / "scheduler").write_text("none [mq-deadline] kyber\n")
    assert scheduler(tmp_path) == "mq-deadline"


def test_a_device_of_device_mapper_has_no_scheduler_to_choose(tmp_path: Path) -> None:
    assert scheduler(tmp_path) == "none"


def test_a_mistyped_mount_point_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no directory"):
        check_path(tmp_path / "nosuch" / "volume", 1)
    assert not (tmp_path / "nosuch").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts something, in a mount namespace of its own")
@pytest.mark.skipif(file_system(HERE)["type"] in NOT_STORAGE, reason="these tests lie on no storage")
def test_a_read_only_file_system_is_told() -> None:
    argv = ["unshare", "--mount", "sh", "-ec", READ_ONLY, "sh", sys.executable, "-c", CHECK]
    told = subprocess.run(argv, capture_output=True, check=True, timeout=30, cwd=HERE.parents[2]).stdout.decode()
    assert told.startswith(f"volume.path {HERE} lies on a file system that is mounted read-only; mount it read-write")


def test_a_device_that_is_not_there_is_called_one(tmp_path: Path) -> None:
    device = Path("/dev", f"primetime-{uuid4().hex}")
    spec = VolumeSpec("partition", str(device), 64 * 2**20, erase=True)
    with (
        pytest.raises(UserError, match="there is no such device"),
        open_volume(spec, True, open_ledger(tmp_path)),
    ):
        pass
    assert not device.exists()
