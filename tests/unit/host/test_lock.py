"""One measurement at a time, and whose lock it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host.lock import device_lock


def test_a_lock_that_cannot_be_opened_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()  # root may open every file, but no directory
    with pytest.raises(UserError, match="lock cannot be written") as caught, device_lock("a test", tmp_path):
        pass
    assert "sudo" in caught.value.hint
