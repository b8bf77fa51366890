"""What runs is stopped and started again; what does not run is left alone. systemctl is a program of ours here."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.host import services
from primetime.host.ledger import Ledger
from primetime.host.undo import UNDOS

STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> {log}
case "$*" in *is-active*fstrim.timer) exit 0 ;; *is-active*) exit 3 ;; esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    log = tmp_path / "log"
    for name in ("systemctl", "journalctl"):
        program = tmp_path / name
        program.write_text(STUB.format(log=log))
        program.chmod(0o755)
        monkeypatch.setattr(services, name.upper(), str(program))
    monkeypatch.setattr(services, "SYSTEMD", tmp_path)
    monkeypatch.setattr(services, "JOURNAL", tmp_path)
    return log


def acts(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "is-active" not in line]


def test_timers_and_journal_are_quiet_and_come_back(calls: Path, tmp_path: Path) -> None:
    with services.quieted(Ledger(tmp_path / "ledger", UNDOS)) as facts:
        assert {fact.name: fact.value for fact in facts} == {
            "quiet.stopped": "fstrim.timer",
            "quiet.journal_in_memory": True,
        }
        assert acts(calls) == ["systemctl stop fstrim.timer", "journalctl --relinquish-var"]
    assert acts(calls)[2:] == ["journalctl --flush", "systemctl start fstrim.timer"]


def test_a_killed_run_is_put_right(calls: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", UNDOS)
    generator = services.quieted(ledger)
    generator.__enter__()
    assert Ledger(tmp_path / "ledger", UNDOS).replay() == ["journal ", "unit fstrim.timer"]
    assert acts(calls)[2:] == ["journalctl --flush", "systemctl start fstrim.timer"]


def test_without_systemd_nothing_is_touched(calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "SYSTEMD", tmp_path / "none")
    with services.quieted(Ledger(tmp_path / "ledger", UNDOS)):
        pass
    assert not calls.exists()
