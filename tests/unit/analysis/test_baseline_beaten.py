"""Who may beat the bare metal, and what is said when somebody does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_campaign import READ, REQUESTS, WRITE, Making, make_campaign

from primetime.analysis import analyse
from primetime.model import Point, Verdict

DURABLE = Point(WRITE.name, "fio", {**WRITE.params, "fsync": 1})
SYNCED_READ = Point(WRITE.name, "fio", {**WRITE.params, "rw": "randread", "fsync": 1})
SYNCED_MIX = Point(WRITE.name, "fio", {**WRITE.params, "rw": "randrw", "fsync": 1})
PAIR = Making(kinds={"native": "native", "runc": "runc"})


@pytest.mark.parametrize(
    ("point", "ratio", "found"),
    [
        (DURABLE, 1.2, True),
        (DURABLE, 1.0, False),
        (DURABLE, 0.8, False),
        (READ, 1.2, True),
        (WRITE, 1.2, False),
        (SYNCED_READ, 1.2, False),  # its file may lie in memory: there is nothing to sync
        (SYNCED_MIX, 1.2, False),
        (REQUESTS, 1.2, False),
    ],
)
def test_only_what_must_reach_the_device(tmp_path: Path, point: Point, ratio: float, found: bool) -> None:
    making = replace(PAIR, points=(point,), truth={("runc", point.name): ratio})
    analysis = analyse(make_campaign(tmp_path / "made.sqlite", making))
    one = next(one for one in analysis.comparisons if one.primary)
    assert ("baseline-beaten" in one.warnings) == found
    if found:
        assert (one.verdict is Verdict.NO_VERDICT) == (point is DURABLE)  # direct reads are warned of


def test_two_lucky_blocks_accuse_nobody(tmp_path: Path) -> None:
    making = replace(PAIR, points=(DURABLE,), truth={("runc", DURABLE.name): 1.2}, blocks=2)
    assert "baseline-beaten" not in {
        one.id for one in analyse(make_campaign(tmp_path / "made.sqlite", making)).warnings
    }


def test_bare_metal_with_other_settings_may_be_faster(tmp_path: Path) -> None:
    making = replace(
        PAIR, kinds={"native": "native", "tuned": "native"}, points=(DURABLE,), truth={("tuned", DURABLE.name): 1.2}
    )
    assert "baseline-beaten" not in {
        one.id for one in analyse(make_campaign(tmp_path / "made.sqlite", making)).warnings
    }
