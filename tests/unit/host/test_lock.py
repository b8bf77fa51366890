"""One measurement at a time, and whose lock it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host.lock import device_lock, unwritable


def test_a_lock_that_cannot_be_opened_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()  # root may open every file, but no directory
    with pytest.raises(UserError, match="lock cannot be written") as caught, device_lock("a test", tmp_path):
        pass
    assert "make room" in caught.value.hint
    assert "sudo" in unwritable(tmp_path, PermissionError(13, "Permission denied")).hint


def test_a_lock_on_a_full_disk_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("/dev/full")
    with pytest.raises(UserError, match="lock cannot be written") as caught, device_lock("a test", tmp_path):
        pass
    assert "make room" in caught.value.hint
