"""The thin pool's table, and which devices belong to it; really made in tests/lab."""

from __future__ import annotations

from pathlib import Path

from primetime.host.thin_pool import device_names, pool_table, preallocate
from primetime.host.undo import undo_paths

LISTED = """primetime-b1\t(253:0)
primetime-b1-snap-1\t(253:1)
primetime-b1-snap-10\t(253:3)
primetime-b1-snap-2\t(253:2)
primetime-b10\t(253:4)
root\t(253:5)
"""


def test_what_was_cut_from_a_pool_goes_first_and_nothing_else_goes() -> None:
    assert device_names(LISTED, "primetime-b1") == [
        "primetime-b1-snap-10", "primetime-b1-snap-2", "primetime-b1-snap-1", "primetime-b1",
    ]  # fmt: skip
    assert device_names("No devices found\n", "primetime-b1") == []


def test_the_table_counts_sectors() -> None:
    words = pool_table(1 << 30, "/dev/loop0", "/dev/loop1").split()
    assert words[:5] == ["0", str((1 << 30) // 512), "thin-pool", "/dev/loop0", "/dev/loop1"]
    assert words[-1] == "skip_block_zeroing"


def test_a_preallocated_file_has_all_its_blocks(tmp_path: Path) -> None:
    preallocate(tmp_path / "pool", 1 << 20)
    assert (tmp_path / "pool").stat().st_blocks * 512 >= 1 << 20


def test_paths_are_removed_but_no_directory_that_is_used(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s/ours").touch()
    undo_paths({"paths": [str(tmp_path / "s/ours"), str(tmp_path / "s"), str(tmp_path / "never")]})
    assert not (tmp_path / "s").exists()
    (tmp_path / "s").mkdir()
    (tmp_path / "s/theirs").touch()
    undo_paths({"paths": [str(tmp_path / "s/ours"), str(tmp_path / "s")]})
    assert (tmp_path / "s/theirs").exists()
