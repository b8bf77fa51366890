"""A made campaign with a meter whose watts follow CPU: lines recovered, efficiency compared, a meter unplugged."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from made_campaign import RATE, Making, study_of

from primetime.analysis.energy import Energy
from primetime.analysis.result import Analysis, analyse
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
from primetime.report.html import html_report
from primetime.report.json_report import json_text
from primetime.report.terminal import render_analysis
from primetime.store import CampaignFile, TrialResult

IDLE_W, SLOPE = 3.0, 1.5
WINDOW, PAUSE = 30.0, 5.0
OFFSET = 3.0  # the meter's clock is behind by this much
LEVELS = {"ladder-level0": 0.05, "ladder-level50": 1.0, "ladder-level100": 2.0}
WRITE = Point("write", "fio", {"rw": "randwrite"})
POINTS = (*(Point(name, "ladder", {"level": 0}) for name in LEVELS), WRITE)
RATES = {"native": 20e6, "runc": 19e6}
PLAN = ("idle-host", "idle-environment", *LEVELS, "write")
METER = {"unit": "W", "resolution": 0.001, "hz": 4.0, "accuracy": 0.01, "channel": "total"}


def make(path: Path, *, unplugged_in: int = 0, resolution: float = 0.001) -> Analysis:
    """Write a campaign of five blocks and analyse it. `unplugged_in`: the boot in whose middle the meter stops."""
    power = PowerSpec((MeterSpec("plug", "shelly", {"host": "h"}),), 2.0, 30.0, 30.0)
    study = replace(
        study_of(Making(kinds={"native": "native", "runc": "runc"}, points=POINTS, quick=True)), power=power
    )
    chance = random.Random(7)
    with CampaignFile.create(path, study, 1, "test device") as file:
        words = Fact("power.plug", "shelly: total at the wall: steps of 0.001 W; not seen: nothing")
        file.add_facts(
            [words, *(Fact(f"power.plug.{key}", value) for key, value in {**METER, "resolution": resolution}.items())]
        )
        for spec in study.environments:
            file.add_environment(spec, spec.label, Usability(spec.kind, Usable.YES))
        file.add_points((point, "rate" if point is WRITE else "cpu_busy") for point in POINTS)
        for index in range(1, 6):
            names = tuple(point.name for point in POINTS)
            slots = [Slot(index, place + 1, label, Role.MAIN, 0, names) for place, label in enumerate(RATES)]
            file.plan_block(Block(index, tuple(slots)))
            for slot in file.open_slots(index):
                one_boot(file, slot.slot_id, slot.slot.environment, chance, unplugged_in)
        file.set_state(CampaignState.BLOCKS)
    return analyse(path)


def one_boot(file: CampaignFile, slot: int, label: str, chance: random.Random, unplugged_in: int) -> None:
    """One boot: its phases one after the other, load and power sampled all the time."""
    start = 1000.0 * slot
    boot = file.begin_boot(slot, start)
    own_w, own_slope = IDLE_W + chance.gauss(0, 0.02), SLOPE + chance.gauss(0, 0.01)
    trials = {name: trial for trial, name in file.open_slot(slot).remaining_points}
    phases, uses, t = [], [(start, start + PAUSE, 0.05)], start + PAUSE
    for name in PLAN:
        use = LEVELS.get(name, 0.8 if name == "write" else 0.05)
        phases.append(Phase("run" if name in trials else name, t, t + WINDOW, trials.get(name)))
        uses += [(t, t + WINDOW, use), (t + WINDOW, t + WINDOW + PAUSE, 0.05)]
        t += WINDOW + PAUSE
    end, busy, load, watts = t, 0.0, [], []
    stops = (start + end) / 2 if boot == unplugged_in else end
    for index in range(int((end - start) * 4)):
        now = start + index / 4
        use = next(use for low, high, use in uses if low <= now < high)
        busy += use / 4
        load.append((now + 0.25, busy))
        shown = own_w + own_slope * use + chance.gauss(0, 0.02)
        if now < stops:
            watts.append((now - OFFSET, shown))
    file.add_phases(boot, phases)
    file.add_chunks(boot, [chunk("load", "monotonic", Channel("busy", "CPU s", True), load)])
    file.add_chunks(boot, [chunk("power.plug", "power.plug", Channel("total", "W", False), watts)])
    clock = {
        "offset_at": start,
        "offset_s": OFFSET,
        "drift_ppm": 0.0,
        "lag_s": 0.0,
        "lag_error_s": 0.0,
        "residual_s": 0.02,
    }
    file.add_facts(Fact(f"power.plug.{key}", value, "boot", str(boot)) for key, value in clock.items())
    for name, trial in trials.items():
        file.begin_trial(trial, boot)
        rate = (Measurement(RATE, RATES[label] * (1 + chance.gauss(0, 0.002))),) if name == "write" else ()
        file.finish_trial(trial, TrialResult(TrialStatus.DONE, "", WINDOW, rate))
    file.end_boot(boot, BootStatus.DONE, "", end)


def chunk(name: str, clock: str, channel: Channel, samples: list[tuple[float, float]]) -> SeriesChunk:
    """A series of one channel."""
    return SeriesChunk(name, clock, (channel,), tuple(t for t, _ in samples), tuple((value,) for _, value in samples))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """The campaign with nothing wrong."""
    return make(tmp_path_factory.mktemp("power") / "made.sqlite")


def test_slope_and_intercept_are_recovered_inside_their_intervals(made: Analysis) -> None:
    assert [line.environment for line in made.lines] == ["native", "runc"]
    for line in made.lines:
        assert len(line.fits) == 5
        assert line.slope.low < SLOPE < line.slope.high
        assert line.intercept.low < IDLE_W < line.intercept.high
        assert line.idle_w == pytest.approx(IDLE_W + 0.05 * SLOPE, abs=0.05)
        assert not line.bends
    [ratio, p] = made.lines[1].same or (None, 1.0)
    assert ratio is not None
    assert ratio.low < 1 < ratio.high
    assert p < 0.05


def test_energy_is_within_half_a_per_cent_though_the_meters_clock_is_3_s_off(made: Analysis) -> None:
    for one in made.power.trials:
        assert isinstance(one.energy, Energy)
        use = LEVELS.get(one.point, 0.8)
        assert one.energy.joules == pytest.approx(WINDOW * (IDLE_W + SLOPE * use), rel=0.02)  # the boot's own W vary
    of_write = [
        one.energy.joules for one in made.power.trials if one.point == "write" and isinstance(one.energy, Energy)
    ]
    assert sum(of_write) / len(of_write) == pytest.approx(WINDOW * (IDLE_W + SLOPE * 0.8), rel=0.005)


def test_work_per_joule_is_paired_like_any_metric(made: Analysis) -> None:
    [one] = [c for c in made.comparisons if c.metric.name == "work_per_joule"]
    assert (one.environment, one.point, one.metric.unit) == ("runc", "write", "B/J")
    assert one.interval is not None
    assert one.interval.low < 0.95 < one.interval.high
    assert one.blocks == 5


def test_the_report_shows_power_energy_efficiency_and_the_line(made: Analysis) -> None:
    page, text = html_report([made]), render_analysis(made)
    for words in (
        "Power, energy and efficiency",
        "power on CPU load",
        "throughput on power",
        "Energy and efficiency",
        "Idle",
    ):
        assert words in page
    assert page.count("<svg") >= 3
    for words in (
        "W per busy CPU",
        "power follows the host's busy CPUs",
        "Its clock, by load pulses in 10 boots: +3.000",
        "It gave 4 samples a second, 4 are its rate",
    ):
        assert words in text


def test_programs_get_the_lines_and_the_reasons(made: Analysis, tmp_path: Path) -> None:
    found = json.loads(json_text([made]))["power"]
    assert found["meter"]["name"] == "plug"
    assert [line["environment"] for line in found["lines"]] == ["native", "runc"]
    assert all(line["slope"]["low"] < SLOPE < line["slope"]["high"] for line in found["lines"])
    assert (found["lines"][0]["same"], found["lines"][1]["same"]["low"] < 1) == (None, True)
    assert all(one["energy_j"] > 0 for one in found["trials"])
    cut = json.loads(json_text([make(tmp_path / "cut.sqlite", unplugged_in=4)]))["power"]
    assert any(one["energy_j"] is None and "the meter was silent" in one["reason"] for one in cut["trials"])


def test_unplugging_the_meter_costs_energy_figures_and_no_others(made: Analysis, tmp_path: Path) -> None:
    cut = make(tmp_path / "cut.sqlite", unplugged_in=4)
    lost = [one for one in cut.power.trials if isinstance(one.energy, str)]
    assert lost
    assert {one.boot for one in lost} == {4}
    rates = [[(c.value, c.verdict) for c in one.comparisons if c.metric.name == "rate"] for one in (made, cut)]
    assert rates[0] == rates[1]
    said = [one.sentence for one in cut.warnings if one.id == "no-energy"]
    assert any("1 of 5 trials of runc in write have no energy figure: the meter was silent for" in one for one in said)
    assert said[0] in render_analysis(cut, 400)
    [per_joule] = [c for c in cut.comparisons if c.metric.name == "work_per_joule"]
    assert per_joule.blocks == 4


def test_a_difference_finer_than_the_meters_step_is_refused(tmp_path: Path) -> None:
    coarse = make(tmp_path / "coarse.sqlite", resolution=10.0)
    refused = {one.scope for one in coarse.warnings if one.id == "meter-too-coarse"}
    assert "environment:runc,point:write,metric:energy" in refused
    [energy] = [c for c in coarse.comparisons if c.metric.name == "energy" and c.point == "write"]
    assert "less than the 10 W that meter plug can tell apart" in energy.reason
