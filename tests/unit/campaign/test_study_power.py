"""Meters in a study file: checked, and windows made long enough for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from primetime.campaign.estimate import estimate_study
from primetime.campaign.metering import meter_facts
from primetime.campaign.study_file import load_study
from primetime.cli.doctor import meter_lines
from primetime.cli.plan import power_lines
from primetime.errors import UserError
from primetime.instruments.power import meter, outside
from primetime.model import MeterSpec
from primetime.store.resolved import study_from_json, study_to_json

PLAIN = """
[environments.native]
[[points]]
workload = "ladder"
level = [0, 50, 100]
[[points]]
workload = "start"
"""
METER = '[meter.plug]\nkind = "shelly"\nhost = "192.0.2.1"\n'


def study_text(tmp_path: Path, text: str) -> str:
    """A study file's path."""
    path = tmp_path / "power.toml"
    path.write_text(text)
    return str(path)


def test_a_one_hertz_plug_lengthens_windows_and_the_plan_says_so(tmp_path: Path) -> None:
    plain = load_study(study_text(tmp_path, PLAIN))
    metered = load_study(study_text(tmp_path, PLAIN + METER))
    assert [point.params.get("duration") for point in plain.points] == [10.0, 10.0, 10.0, None]
    assert [point.params.get("duration") for point in metered.points] == [111.0, 111.0, 111.0, None]
    assert (metered.power.pulse_s, metered.power.idle_s) == (10.0, 111.0)
    longer = estimate_study(metered, frozenset()).seconds - estimate_study(plain, frozenset()).seconds
    assert longer > 2 * 40 * 300  # 40 blocks with their A/A slot, 300 s more in windows alone
    assert power_lines(plain) == []
    assert "windows are at least 111 s long" in "\n".join(power_lines(metered))


def test_windows_stay_as_said_where_the_study_asks_and_in_a_smoke_run(tmp_path: Path) -> None:
    path = study_text(tmp_path, PLAIN + METER + "[power]\nlengthen = false\n")
    assert {point.params.get("duration") for point in load_study(path).points} == {10.0, None}
    smoke = load_study(path, smoke=True)
    assert (smoke.power.pulse_s, smoke.power.idle_s) == (0.0, 0.0)


def test_a_study_with_meters_survives_the_campaign_file(tmp_path: Path) -> None:
    study = load_study(study_text(tmp_path, PLAIN + METER))
    assert study_from_json(study_to_json(study)) == study


def test_a_fleets_meter_lengthens_windows_as_a_studys_own_would(tmp_path: Path) -> None:
    spec = MeterSpec("plug", "shelly", {"host": "192.0.2.1"})
    own = load_study(study_text(tmp_path, PLAIN + METER))
    given = load_study(study_text(tmp_path, PLAIN), outside=[outside(spec)])
    assert given.points == own.points
    assert replace(given.power, meters=()) == replace(own.power, meters=())
    [told] = given.power.meters
    assert meter(told).channels() == (meter(spec).channels()[0],)
    assert study_from_json(study_to_json(given)) == given
    facts = {fact.name: fact.value for fact in meter_facts(given.power)}
    assert (facts["power.plug.unit"], facts["power.plug.hz"], facts["power.plug.channel"]) == ("W", 1.0, "total")
    assert str(facts["power.plug"]).startswith("outside: total at the wall: steps of 0.1 W")


def test_a_fleets_meter_takes_no_name_of_the_studys_and_no_study_names_its_kind(tmp_path: Path) -> None:
    spec = outside(MeterSpec("plug", "shelly", {"host": "192.0.2.1"}))
    with pytest.raises(UserError, match=r"meter\.plug: the fleet file has a meter of this name too"):
        load_study(study_text(tmp_path, PLAIN + METER), outside=[spec])
    with pytest.raises(UserError, match="unknown kind of meter 'outside'"):
        load_study(study_text(tmp_path, PLAIN + "[meter.outside]\nmeter = 'shelly'\n"))


def test_a_wrong_meter_names_file_and_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"power\.toml: meter\.plug \(shelly\): unknown setting 'adress'"):
        load_study(study_text(tmp_path, PLAIN + METER + 'adress = "x"\n'))
    with pytest.raises(UserError, match="unknown kind of meter 'watts'"):
        load_study(study_text(tmp_path, PLAIN + "[meter.watts]\n"))


def test_a_device_without_a_meter_is_told_three_that_fit() -> None:
    lines = meter_lines([])
    assert "no power meter" in lines[0]
    assert [word for word in ("shelly", "um25c", "scpi") if any(f"kind {word}" in line for line in lines)] == [
        "shelly",
        "um25c",
        "scpi",
    ]
