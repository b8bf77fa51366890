"""Rules written before: what breaks one is left out with the reason, everywhere alike; uneven losses are told."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from made_campaign import READ, REQUESTS, Making, make_campaign

from primetime.analysis import analyse
from primetime.model import Fact
from primetime.store import CampaignFile

PAIR = Making(kinds={"native": "native", "runc": "runc"}, points=(READ,), blocks=12)


def with_rules(path: Path, rules: dict[str, float], busy_block: int = 3) -> Path:
    """Write rules into a made campaign's study, and a busy device before the boots of one block."""
    with closing(sqlite3.connect(path)) as sql:
        resolved = json.loads(sql.execute("SELECT resolved FROM campaign_record").fetchone()[0])
        resolved["exclude"] = rules
        sql.execute("UPDATE campaign_record SET resolved = ?", (json.dumps(resolved),))
        for boot, block in sql.execute("SELECT boot, block FROM boots").fetchall():
            busy = 0.8 if block == busy_block else 0.05
            sql.execute(
                "INSERT INTO fact (scope, scope_id, name, value) VALUES ('boot', ?, 'settle.busy_fraction', ?)",
                (str(boot), json.dumps(busy)),
            )
        sql.commit()
    return path


def test_a_busy_boot_is_left_out_with_the_reason(tmp_path: Path) -> None:
    path = with_rules(make_campaign(tmp_path / "made.sqlite", PAIR), {"busy": 0.5})
    analysis = analyse(path)
    assert {(one.environment, one.block) for one in analysis.excluded} == {("native", 3), ("runc", 3)}
    assert analysis.excluded[0].reason == "80% of all CPUs were busy before this boot, more than exclude.busy = 0.5"
    one = next(one for one in analysis.comparisons if one.primary)
    assert one.blocks == 11


def test_the_stopping_rule_leaves_out_the_same(tmp_path: Path) -> None:
    path = with_rules(make_campaign(tmp_path / "made.sqlite", PAIR), {"busy": 0.5})
    with CampaignFile.open(path, write=False) as file:
        blocks = [block for block, _ in file.log_ratios(READ.name, "rate", "runc", "native")]
    assert blocks == [1, 2, *range(4, 13)]


def test_a_tests_own_packets_are_nobodys_visit(tmp_path: Path) -> None:
    making = replace(PAIR, points=(READ, REQUESTS), peer="far.example")
    path = with_rules(make_campaign(tmp_path / "made.sqlite", making), {"packets": 50.0})
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("INSERT INTO measurement SELECT trial, 'control_packets', 9e5, '1', 'lower', 'cost' FROM trial")
        sql.commit()
    assert {one.point for one in analyse(path).excluded} == {READ.name, REQUESTS.name}
    with CampaignFile.open(path, write=True) as file:
        file.add_facts([Fact("network.peer_over_control", True)])
    analysis = analyse(path)
    assert {one.point for one in analysis.excluded} == {READ.name}
    said = [(one.id, one.scope) for one in analysis.warnings if one.id in ("foreign-packets", "visits-unseen")]
    assert ("visits-unseen", f"point:{REQUESTS.name}") in said
    assert {scope.rpartition(":")[2] for name, scope in said if name == "foreign-packets"} == {READ.name}


def test_a_board_without_a_control_interface_is_told(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", PAIR)
    assert "visits-unseen" not in {one.id for one in analyse(path).warnings}
    with CampaignFile.open(path, write=True) as file:
        file.add_facts([Fact("fleet.address", "192.0.2.7")])
    assert ("visits-unseen", "campaign") in {(one.id, one.scope) for one in analyse(path).warnings}


def test_without_a_rule_nothing_is_left_out(tmp_path: Path) -> None:
    path = with_rules(make_campaign(tmp_path / "made.sqlite", PAIR), {})
    assert analyse(path).excluded == ()


@pytest.mark.parametrize(("lost", "told"), [(8, True), (1, False)])
def test_uneven_losses_are_told(tmp_path: Path, lost: int, told: bool) -> None:
    failing = frozenset(("runc", READ.name, block) for block in range(1, lost + 1))
    analysis = analyse(make_campaign(tmp_path / "made.sqlite", replace(PAIR, failing=failing)))
    assert ("uneven-exclusions" in {warning.id for warning in analysis.warnings}) == told
