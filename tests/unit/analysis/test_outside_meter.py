"""A controller's meter merged into a board's campaign: the same energies as a local one, and gaps that say so."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from full_disk import no_file_over
from made_campaign import RATE, Making, study_of

from primetime.analysis.energy import Energy
from primetime.analysis.result import Analysis, analyse
from primetime.campaign.metering import meter_facts
from primetime.campaign.outside import merge
from primetime.instruments.power import outside
from primetime.instruments.power.controller_log import Beginning, BoardClock, Session
from primetime.intervals import pulse_spans
from primetime.model import (
    Block,
    BootStatus,
    CampaignState,
    Channel,
    Fact,
    Measurement,
    MeterSpec,
    Phase,
    Point,
    PowerSpec,
    Role,
    SeriesChunk,
    Slot,
    TrialStatus,
    Usability,
    Usable,
)
from primetime.store import CampaignFile, TrialResult

AHEAD = 4321.5  # of the controller's clock: the board's is behind it by so many seconds
ERROR = 0.08  # of the look at the board's clock, within its round trip
HZ, PULSE, WINDOW, QUIET = 10.0, 2.0, 32.0, 5.0
IDLE_W, FULL_W = 3.0, 6.0
POINT = Point("write", "fio", {"rw": "randwrite"})
BLOCKS = 2
SPEC = outside(MeterSpec("lab", "csv", {"path": "/log", "hz": HZ}))
Uses = list[tuple[float, float, float]]


def board_campaign(path: Path) -> list[tuple[float, float]]:
    """Write what a board sends home: load, pulses and trials, no watts. Returns what a perfect meter would show."""
    made = study_of(Making(kinds={"native": "native"}, points=(POINT,), quick=True))
    study = replace(made, power=PowerSpec((SPEC,), PULSE, WINDOW, WINDOW))
    truth: list[tuple[float, float]] = []
    with CampaignFile.create(path, study, 1, "board") as file:
        file.add_facts(meter_facts(study.power))
        for spec in study.environments:
            file.add_environment(spec, spec.label, Usability(spec.kind, Usable.YES))
        file.add_points([(POINT, "rate")])
        for index in range(1, BLOCKS + 1):
            file.plan_block(Block(index, (Slot(index, 1, "native", Role.MAIN, 0, (POINT.name,)),)))
            [slot] = file.open_slots(index)
            truth += one_boot(file, slot.slot_id, 1000.0 + 200.0 * index)
        file.set_state(CampaignState.BLOCKS)
    return truth


def one_boot(file: CampaignFile, slot: int, t0: float) -> list[tuple[float, float]]:
    """One boot from `t0` on."""
    boot = file.begin_boot(slot, t0)
    [(trial, _)] = file.open_slot(slot).remaining_points
    uses: Uses = [(t0, t0 + QUIET, 0.0)]
    phases = []
    for name in ("pulses", "idle-host", "run", "pulses-after"):
        begun = t = uses[-1][1]
        spans = pulse_spans(PULSE, 1 / HZ) if name.startswith("pulses") else (WINDOW,)
        for place, seconds in enumerate(spans):
            busy = float(place % 2) if len(spans) > 1 else (0.5 if name == "run" else 0.0)
            uses.append((t, t + seconds, busy))
            t += seconds
        phases.append(Phase(name, begun, t, trial if name == "run" else None))
        uses.append((t, t + QUIET, 0.0))
    end = uses[-1][1]
    times = [t0 + 0.02 * step for step in range(int((end - t0) / 0.02))]
    load, busy_s = [], 0.0
    for t in times:
        busy_s += 0.02 * use_at(uses, t)
        load.append(busy_s)
    channel = Channel("busy", "CPU s", True)
    file.add_chunks(boot, [SeriesChunk("load", "monotonic", (channel,), tuple(times), tuple((one,) for one in load))])
    file.add_phases(boot, phases)
    file.add_facts([Fact("host.boot_id", "start 1", "boot", str(boot))])
    file.begin_trial(trial, boot)
    file.finish_trial(trial, TrialResult(TrialStatus.DONE, "", WINDOW, (Measurement(RATE, 2e7),)))
    file.end_boot(boot, BootStatus.DONE, "", end)
    chance = random.Random(slot)
    shown = [t0 + (step + chance.random() * 0.2) / HZ for step in range(int((end - t0) * HZ))]
    return [(t, IDLE_W + (FULL_W - IDLE_W) * use_at(uses, t)) for t in shown]


def use_at(uses: Uses, t: float) -> float:
    """The busy CPUs at a moment."""
    return next((use for low, high, use in uses if low <= t < high), 0.0)


def session(samples: list[tuple[float, float]], looks: tuple[float, ...], boot: str = "controller 1") -> Session:
    """What a controller writes down, on its own clock. `looks`: board seconds at which it saw the board's clock."""
    begun = Beginning("lab", "csv", boot, 1.7e9, 5000.0, (("total", "W", False),))
    clocks = [BoardClock(t + AHEAD + ERROR, t, 0.2, "start 1") for t in looks]
    return Session(begun, [t + AHEAD for t, _ in samples], [(watts,) for _, watts in samples], clocks)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A controller that lived through all of it."""
    path = tmp_path_factory.mktemp("outside") / "whole.sqlite"
    truth = board_campaign(path)
    merge(path, [session(truth, (1000.0, 1400.0))])
    return analyse(path)


def test_energy_is_the_truth_though_the_controllers_clock_is_another(whole: Analysis) -> None:
    assert len(whole.power.trials) == BLOCKS
    for one in whole.power.trials:
        assert isinstance(one.energy, Energy), one.energy
        assert one.energy.joules == pytest.approx(WINDOW * (IDLE_W + FULL_W) / 2, rel=0.005)
    assert [type(one.energy) for one in whole.power.idles] == [Energy] * BLOCKS
    assert whole.power.meter is not None
    assert whole.power.meter.name == "lab"


def test_the_pulses_find_what_the_visits_left_open(whole: Analysis) -> None:
    assert len(whole.power.clocks) == BLOCKS
    for clock in whole.power.clocks.values():
        assert clock.offset_s == pytest.approx(ERROR, abs=0.03)
    facts = {fact.name: fact.value for fact in whole.data.facts if fact.scope == "boot"}
    assert facts["power.lab.visit_doubt_s"] == 0.1
    with CampaignFile.open(whole.data.path, write=False) as file:
        clocks = {row["clock"]: row for row in file.rows("SELECT * FROM clocks")}
    assert clocks["controller"]["offset_s"] == pytest.approx(-AHEAD - ERROR)
    assert clocks["controller"]["residual_s"] == pytest.approx(0.1)
    assert {f"power.lab-boot-{boot}" for boot in (1, 2)} <= clocks.keys()


def test_a_killed_controller_costs_the_phases_that_it_missed(tmp_path: Path) -> None:
    path = tmp_path / "gap.sqlite"
    truth = board_campaign(path)
    [run] = {row["t0"] for row in phases(path, "run") if row["boot"] == 2}
    before = [one for one in truth if one[0] < run + 5.0]
    after = [one for one in truth if one[0] > run + 15.0]
    merge(path, [session(before, (1000.0,)), session(after, ())])  # the second never came to a visit
    first, second = (one.energy for one in analyse(path).power.trials)
    assert isinstance(first, Energy)
    assert str(second).startswith("the meter was silent for 10.")
    facts = {fact.name: fact.value for fact in analyse(path).data.facts}
    assert facts["power.lab.controllers"] == 2


def test_what_cannot_be_placed_in_time_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "lost.sqlite"
    truth = board_campaign(path)
    merge(path, [session(truth, (), "controller 1"), session([], (1000.0,), "controller 2")])
    assert {str(one.energy) for one in analyse(path).power.trials} == {"the meter gave nothing in this boot"}


def test_nothing_recorded_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    board_campaign(path)
    before = path.read_bytes()
    merge(path, [])
    assert path.read_bytes() == before


def phases(path: Path, name: str) -> list[dict[str, float]]:
    """The phases of a campaign of one name."""
    with CampaignFile.open(path, write=False) as file:
        return [dict(row) for row in file.rows("SELECT boot, t0, t1 FROM phases WHERE phase = ?", name)]


def test_a_copy_that_finds_no_room_is_told_as_the_controllers(tmp_path: Path) -> None:
    path = tmp_path / "full.sqlite"
    truth = board_campaign(path)
    with no_file_over(path.stat().st_size), pytest.raises(sqlite3.OperationalError):  # not "primetime resume" of a copy
        merge(path, [session(truth, (1000.0, 1400.0))])
