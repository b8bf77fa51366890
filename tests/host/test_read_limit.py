"""The cap on reads, for real: a program is put under it, and nothing of it is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.host.ledger import Ledger
from primetime.host.mounts import read_mounts
from primetime.host.process import Placement, Spawning, spawn
from primetime.host.throttle import ReadCap, blkio_root, reads_capped
from primetime.host.undo import UNDOS
from primetime.host.volume import queue_directory

GROUP = "primetime-test/b61800"
ROOT = blkio_root(read_mounts())
needs_throttling = pytest.mark.skipif(
    ROOT is None or queue_directory(Path("/var/tmp")) is None,
    reason="no blkio controller of cgroup version 1, or /var/tmp is on no disk",
)


@needs_throttling
def test_a_program_is_put_under_the_cap_and_nothing_is_left(tmp_path: Path) -> None:
    assert ROOT is not None
    directory, ledger = ROOT / GROUP, Ledger(tmp_path / "ledger", UNDOS)
    with (
        reads_capped(ReadCap(GROUP, Path("/var/tmp"), 3_600_000), Placement(), ledger) as placement,
        spawn(["sleep", "60"], Spawning(placement=placement, stop_s=0.0)) as process,
    ):
        assert (directory / "blkio.throttle.read_bps_device").read_text().split()[1] == "3600000"
        assert str(process.pid) in (directory / "cgroup.procs").read_text().split()
        assert len(list(ledger.directory.glob("*.json"))) == 1
    assert not directory.parent.exists()
    assert list(ledger.directory.glob("*.json")) == []


@needs_throttling
def test_what_a_kill_left_is_replayed(tmp_path: Path) -> None:
    assert ROOT is not None
    ledger = Ledger(tmp_path / "ledger", UNDOS)
    cap = reads_capped(ReadCap(GROUP, Path("/var/tmp"), 1_000_000), Placement(), ledger)
    placement = cap.__enter__()
    with spawn(["sleep", "60"], Spawning(placement=placement, stop_s=0.0)) as process:
        Ledger(tmp_path / "ledger", UNDOS).replay()
        assert process.wait(10) == -9
    assert not (ROOT / GROUP).exists()
