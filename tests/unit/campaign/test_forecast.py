"""What an earlier campaign predicts: blocks by subsampling, and hours from what boots and windows took."""

from __future__ import annotations

import json
import math
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from made_campaign import READ, REQUESTS, STREAM, Making, make_campaign, study_of

from primetime.campaign.forecast import confirmed, forecast
from primetime.cli import main
from primetime.errors import UserError
from primetime.intervals import blocks_to_width
from primetime.model import Study
from primetime.store import CampaignFile

PAIR = Making(kinds={"native": "native", "runc": "runc"}, points=(READ,), blocks=30)


def wanting(making: Making, half_width: float) -> Study:
    study = study_of(making)
    return replace(study, stopping=replace(study.stopping, half_width=half_width))


@pytest.mark.parametrize("spread", [0.03, 0.045])
def test_subsets_need_as_many_blocks_as_the_formula_says(spread: float) -> None:
    chance = random.Random(1)
    d = [chance.gauss(0, spread) for _ in range(80)]
    found = confirmed(d, 0.02)
    assert found is not None
    assert found == pytest.approx(blocks_to_width(d, 0.02), rel=0.15)


def test_too_wide_a_spread_is_not_seen() -> None:
    chance = random.Random(2)
    assert confirmed([chance.gauss(0, 0.3) for _ in range(15)], 0.01) is None


def test_blocks_and_hours(tmp_path: Path) -> None:
    making = replace(PAIR, spread=0.04)
    with CampaignFile.open(make_campaign(tmp_path / "made.sqlite", making), write=False) as earlier:
        wide, narrow = (forecast(wanting(making, width), earlier) for width in (0.10, 0.03))
    assert (wide.blocks, wide.needs[0].extrapolated) == (10, False)
    sd = math.sqrt(2) * 0.04
    assert narrow.blocks == pytest.approx((2.1 * sd / math.log(1.03)) ** 2, rel=0.5)
    # A made boot takes 50 s with a window of 2 s in it; two environments.
    assert wide.seconds == pytest.approx(10 * 2 * 50)


def test_what_was_too_short_is_extrapolated_and_bounded(tmp_path: Path) -> None:
    making = replace(PAIR, spread=0.2, blocks=5)
    with CampaignFile.open(make_campaign(tmp_path / "made.sqlite", making), write=False) as earlier:
        found = forecast(wanting(making, 0.03), earlier)
    assert found.needs[0].extrapolated
    assert (found.needs[0].blocks or 1000) > 40
    assert found.blocks == 40


def test_points_of_the_study_that_were_not_measured_are_named(tmp_path: Path) -> None:
    with CampaignFile.open(make_campaign(tmp_path / "made.sqlite", PAIR), write=False) as earlier:
        more = forecast(study_of(replace(PAIR, points=(READ, STREAM))), earlier)
        assert more.unknown == (STREAM.name,)
        with pytest.raises(UserError, match="shares no measured point"):
            forecast(study_of(replace(PAIR, points=(REQUESTS,))), earlier)


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "mine.toml"
    study.write_text(
        '[environments.native]\n[environments.runc]\n[[points]]\nworkload = "fio"\n'
        f'name = "{READ.name}"\nrw = "randread"\ndirect = true\n'
    )
    path = make_campaign(tmp_path / "made.sqlite", PAIR)
    assert main(["plan", str(study), "--seed", "1", "--estimate", str(path)]) == 0
    said = capsys.readouterr().out
    assert "for a half-width of 3 %" in said
    assert "blocks (seen in 30)" in said
    assert main(["plan", str(study), "--seed", "1", "--estimate", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["forecast"]["needs"][0]["environment"] == "runc"
    assert main(["plan", str(study), "--seed", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["forecast"] is None


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE measurement SET value = 'fast'",
        "UPDATE measurement SET value = 9e999",
        "UPDATE boot SET t1 = 'noon'",
        "UPDATE trial SET duration_s = 'long'",
    ],
)
def test_an_earlier_campaign_that_is_damaged_predicts_nothing(tmp_path: Path, sql: str) -> None:
    path = make_campaign(tmp_path / "made.sqlite", PAIR)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql)
        connection.commit()
    with CampaignFile.open(path, write=False) as earlier, pytest.raises(UserError, match="is damaged"):
        forecast(study_of(PAIR), earlier)
