"""A board's meter that this controller records: what is kept through kills, silence and a full disk; the clock."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from primetime.fleet.board_clock import ask_clock
from primetime.fleet.controller_meter import ControllerMeter, metered, tried
from primetime.host.facts import boot_id
from primetime.instruments.power.controller_log import BoardClock, ControllerLog, read_log
from primetime.model import Channel, MeterSpec, SeriesChunk

PATIENCE_S = 10.0
CHANNELS = (Channel("total", "W", False),)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Where a meter's own program writes."""
    path = tmp_path / "meter.csv"
    path.write_text("time,W\n")
    return path


def plug(source: Path) -> MeterSpec:
    """A meter that follows a log."""
    return MeterSpec("plug", "csv", {"path": str(source), "clock": "monotonic", "hz": 100.0})


def waited(condition: Callable[[], bool]) -> bool:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def shown(source: Path, watts: float) -> None:
    """Let the meter show something."""
    with source.open("a") as file:
        file.write(f"{time.monotonic():.4f},{watts}\n")


def test_what_a_meter_shows_is_on_disk_before_the_controller_ends(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("primetime.fleet.controller_meter.WRITE_S", 0.01)
    log = tmp_path / "quick.meter.jsonl"
    one = ControllerMeter(plug(source), log)
    with one.recording():
        assert waited(lambda: getattr(one.recording_.meter, "offset", -1) >= 0)
        shown(source, 4.5)
        assert waited(lambda: bool(read_log(log)[0].t))
        assert one.news() == ""
        one.note_clock(BoardClock(1.0, 2.0, 0.001, "board"))
        shown(source, 4.6)
    [session] = read_log(log)
    assert session.beginning.boot == boot_id()
    assert session.beginning.unix_s - session.beginning.monotonic_s == pytest.approx(
        time.time() - time.monotonic(), abs=1
    )
    assert session.clocks == [BoardClock(1.0, 2.0, 0.001, "board")]
    assert session.channels == CHANNELS
    assert session.rows[0] == (4.5,)
    assert session.t == sorted(set(session.t))


def test_silence_is_said_once_and_again_when_it_comes_back(tmp_path: Path, source: Path) -> None:
    one = ControllerMeter(plug(source.with_name("absent.csv")), tmp_path / "log")
    with one.recording():
        assert waited(lambda: one.recording_.errors > 0)
        first = one.news()
        assert first.startswith("meter plug gives nothing (FileNotFoundError")
        assert one.news() == ""
        one.recording_.taken += 1
        assert one.news() == ""
        assert one.news() == first
    one.note_clock(BoardClock(1.0, 2.0, 0.001, "board"))
    assert read_log(tmp_path / "log")[0].errors > 0
    assert "FileNotFoundError" in read_log(tmp_path / "log")[0].problem


def test_doctor_reads_a_meter_once(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = MeterSpec("lab", "command", {"command": "echo 4.7", "clock": "arrival", "hz": 10.0})
    assert tried(spec).startswith("meter lab (command) shows 4.7 W; total at the wall: steps of 0.001 W")
    monkeypatch.setattr("primetime.fleet.controller_meter.TRIED_S", 0.05)
    assert tried(plug(source)) == "meter plug (csv) shows nothing within 0.05 s"
    assert "cannot be read: [Errno 2]" in tried(plug(source.with_name("absent.csv")))
    monkeypatch.setitem(sys.modules, "joulescope", None)
    assert tried(MeterSpec("js", "joulescope", {})).endswith("→ pip install 'primetime[joulescope]'")


def test_a_log_that_cannot_be_written_costs_energy_and_nothing_else(tmp_path: Path, source: Path) -> None:
    one = ControllerMeter(plug(source), tmp_path / "nowhere" / "log")
    with one.recording():
        assert "cannot be written: No such file" in one.news()


def test_a_device_without_a_meter_has_no_log(tmp_path: Path) -> None:
    with metered(None, tmp_path / "log") as one:
        assert one is None
    assert not (tmp_path / "log").exists()
    assert read_log(tmp_path / "log") == []


def test_a_line_that_a_kill_cut_off_costs_only_itself(tmp_path: Path, source: Path) -> None:
    path = tmp_path / "log"
    for _ in range(2):
        with ControllerMeter(plug(source), path).recording():
            pass
        log = ControllerLog(path)
        log.samples(SeriesChunk("power.plug", "power.plug", CHANNELS, (1.0, 2.0), ((4.0,), (5.0,))))
        log.samples(SeriesChunk("power.plug", "power.plug", CHANNELS, (2.0, 3.0), ((6.0,), (7.0,))))
        with path.open("a") as file:
            file.write('{"t":[4.0,5.0],"rows":[[8.0],[')
    with path.open("a") as file:
        file.write('\n[]\n{"t":[9],"rows":"x"}\n{"clock":{"at":1}}\n{"state":{}}\n{"session":{"meter":"x"}}\n\xff\n')
    sessions = read_log(path)
    assert [session.t for session in sessions] == [[1.0, 2.0, 3.0]] * 2
    assert sessions[1].rows == [(4.0,), (5.0,), (7.0,)]
    assert not sessions[1].clocks


def test_the_boards_clock_is_asked_over_an_open_connection() -> None:
    """The board's side is the verb's own, in a process here: its clock is ours."""
    code = "print('Welcome!', flush=True); from primetime.cli.board import tell_time; tell_time(); print('rest')"
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        seen = ask_clock(child.stdin, child.stdout)
        rest, _ = child.communicate()
    assert rest == b"rest\n"
    assert seen is not None
    assert seen.board_boot == boot_id()
    assert abs(seen.board_s - seen.at) <= seen.trip_s / 2


def test_the_shortest_round_trip_counts_and_no_answer_is_none() -> None:
    lines = [json.dumps([7.0 + one, "b"]) for one in range(5)]
    said = io.BytesIO("".join(f"primetime-clock {line}\n" for line in lines).encode())
    found = ask_clock(io.BytesIO(), said)
    assert found is not None
    assert found.board_s in (7.0, 8.0, 9.0, 10.0, 11.0)
    assert ask_clock(io.BytesIO(), io.BytesIO(b"primetime: unknown option\n")) is None
    assert ask_clock(io.BytesIO(), io.BytesIO(b"primetime-clock {}\n")) is None
