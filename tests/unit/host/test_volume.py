"""What is read of the device under a volume."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host.volume import check_path, scheduler


def test_the_scheduler_in_force(tmp_path: Path) -> None:
    (tmp_path / "scheduler").write_text("none [mq-deadline] kyber\n")
    assert scheduler(tmp_path) == "mq-deadline"


def test_a_device_of_device_mapper_has_no_scheduler_to_choose(tmp_path: Path) -> None:
    assert scheduler(tmp_path) == "none"


def test_a_mistyped_mount_point_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no directory"):
        check_path(tmp_path / "nosuch" / "volume", 1)
    assert not (tmp_path / "nosuch").exists()
