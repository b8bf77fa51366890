"""The undo ledger: written before the act, whole or absent, replayed newest first, honest when it fails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.errors import Interrupted, UndoFailed
from primetime.host.ledger import Act, Json, Ledger


class Recorder:
    """An undo function that remembers, and fails for names in `broken`."""

    def __init__(self, broken: tuple[str, ...] = ()) -> None:
        self.undone: list[str] = []
        self.broken = broken

    def __call__(self, args: Mapping[str, Json]) -> None:
        name = str(args["name"])
        if name in self.broken:
            raise OSError(16, "Device or resource busy")
        self.undone.append(name)


def test_entry_is_there_before_the_act_and_gone_after(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, {"link": Recorder()})
    with ledger.undone(Act("link", {"name": "a"})):
        assert len(ledger.entries()) == 1
    assert ledger.entries() == []


def test_undone_also_when_the_act_raises(tmp_path: Path) -> None:
    recorder = Recorder()
    ledger = Ledger(tmp_path, {"link": recorder})
    with pytest.raises(RuntimeError), ledger.undone(Act("link", {"name": "a"})):
        raise RuntimeError
    assert recorder.undone == ["a"]


@given(names=st.lists(st.text("abc", min_size=1), max_size=8))
def test_replay_undoes_newest_first_whatever_a_kill_left(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    recorder = Recorder()
    directory = tmp_path_factory.mktemp("ledger")
    for name in names:
        Ledger(directory, {"link": recorder}).record(Act("link", {"name": name}))
    Ledger(directory, {"link": recorder}).replay()
    assert recorder.undone == names[::-1]
    assert Ledger(directory, {}).entries() == []


def test_one_failure_does_not_stop_the_others_and_stays_written(tmp_path: Path) -> None:
    recorder = Recorder(broken=("b",))
    ledger = Ledger(tmp_path, {"link": recorder})
    for name in "abc":
        ledger.record(Act("link", {"name": name}))
    with pytest.raises(UndoFailed, match="could not undo link"):
        ledger.replay()
    assert recorder.undone == ["c", "a"]
    assert len(ledger.entries()) == 1


def test_half_written_entry_is_never_replayed(tmp_path: Path) -> None:
    (tmp_path / "00000001.part").write_text('{"kind": "li')
    assert Ledger(tmp_path, {}).replay() == []


def test_an_act_that_nobody_can_undo_is_refused_before_it_happens(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        Ledger(tmp_path, {}).record(Act("unknown", {}))


def test_a_signal_in_the_middle_of_undoing_waits_until_it_is_done(tmp_path: Path) -> None:
    undone: list[str] = []

    def interrupted_once(args: Mapping[str, Json]) -> None:
        undone.append(str(args["name"]))
        if len(undone) == 1:
            raise Interrupted("stopped by SIGINT")

    ledger = Ledger(tmp_path, {"link": interrupted_once})
    with pytest.raises(Interrupted), ledger.undone(Act("link", {"name": "a"})):
        pass
    assert undone == ["a", "a"]
    assert ledger.entries() == []
