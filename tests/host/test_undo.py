"""Undoing what really happened: mounts below names that the kernel writes otherwise than we do."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.host.ledger import Act
from primetime.host.mounts import mounts_below
from primetime.host.process import run
from primetime.host.undo import open_ledger

LIMIT_S = 20.0


@pytest.mark.parametrize("name", ["josé", "two words", "back\\slash", "a link"])
@pytest.mark.parametrize("kind", ["mount", "tree"])
def test_a_mount_is_undone_and_what_is_in_it_lives_on(tmp_path: Path, name: str, kind: str) -> None:
    kept, place = tmp_path / "kept", tmp_path / name
    kept.mkdir()
    (kept / "file").write_text("somebody else's")
    if name == "a link":
        (tmp_path / "real").mkdir()
        place.symlink_to("real")
        place /= "below"
    place.mkdir()
    top = place if kind == "mount" else place / "tree"
    mounted = top if kind == "mount" else top / "mounted"
    with open_ledger(tmp_path / "ledger").undone(Act(kind, {"path": str(top)})):
        mounted.mkdir(parents=True, exist_ok=True)
        run(["mount", "--bind", str(kept), str(mounted)], timeout_s=LIMIT_S)
        assert mounts_below(top) == [mounted.resolve()]
    assert mounts_below(top) == []
    assert (kept / "file").read_text() == "somebody else's"
    assert top.exists() == (kind == "mount")
