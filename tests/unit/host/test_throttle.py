"""Where the cap on reads is set, and that undoing it accepts what never happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.errors import UserError
from primetime.host.ledger import Ledger
from primetime.host.mounts import parse_mounts
from primetime.host.process import Placement
from primetime.host.throttle import KIND, ReadCap, blkio_root, reads_capped, undo_io_group
from primetime.host.undo import UNDOS

RECORDED = Path(__file__).parents[2] / "recorded/mountinfo-linux-6.18-hybrid.txt"


def test_the_controller_is_found_where_it_is_mounted() -> None:
    assert blkio_root(parse_mounts(RECORDED.read_bytes())) == Path("/sys/fs/cgroup/blkio")
    assert blkio_root(parse_mounts(b"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")) is None


def test_undoing_what_never_happened(tmp_path: Path) -> None:
    undo_io_group({"path": str(tmp_path / "blkio" / "primetime" / "b1")})
    assert KIND in UNDOS


def test_no_disk_no_cap(tmp_path: Path) -> None:
    cap = ReadCap("primetime/b1", Path("/proc"), 1_000_000)
    with pytest.raises(UserError, match="read_limit"), reads_capped(cap, Placement(), Ledger(tmp_path, UNDOS)):
        pass
