"""Campaigns side by side: before and after on one device, and one study over devices."""

from __future__ import annotations

import json
import math
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_campaign import READ, WRITE, Making, make_campaign
from scipy import stats

from primetime.analysis import analyse
from primetime.analysis.before_after import Change, before_and_after, of_blocks
from primetime.analysis.data import load
from primetime.analysis.devices import across_devices
from primetime.analysis.welch import welch
from primetime.cli import main
from primetime.errors import UserError
from primetime.model import Fact, Verdict
from primetime.report.comparing import changes_in_words, devices_in_words
from primetime.store import CampaignFile

PAIR = Making(kinds={"native": "native", "runc": "runc"}, points=(READ,), drift=0.005)
side = st.lists(st.floats(-1, 1), min_size=3, max_size=12).filter(lambda d: max(d) - min(d) > 1e-3)


@given(before=side, after=side)
def test_welch_is_scipys(before: list[float], after: list[float]) -> None:
    mine, theirs = welch(before, after), stats.ttest_ind(after, before, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    interval = mine.interval()
    assert (math.log(interval.low), math.log(interval.high)) == pytest.approx((low, high), abs=1e-8)
    assert mine.difference_p() == pytest.approx(float(theirs.pvalue), rel=1e-5, abs=1e-10)


def test_no_spread_is_certain() -> None:
    assert welch([0.0, 0.0], [0.1, 0.1]).difference_p() == 0.0
    assert welch([0.0, 0.0], [0.01, 0.01]).equivalence_p(0.05) == 0.0


def campaigns(directory: Path, after: float, starts: int = 1, native: float = 1.0) -> tuple[Path, Path]:
    """Two campaigns; in the second runc has `after` and native `native` times its figures."""
    paths = []
    for number, truth in enumerate(({}, {("runc", READ.name): after, ("native", READ.name): native})):
        making = replace(PAIR, truth=truth, seed=number + 1)
        path = make_campaign(directory / f"{('before', 'after')[number]}.sqlite", making)
        with closing(sqlite3.connect(path)) as sql:
            boots = sql.execute("SELECT boot, block FROM boots").fetchall()
            rows = [
                ("boot", str(boot), "host.boot_id", json.dumps(f"{number}.{block % starts}")) for boot, block in boots
            ]
            sql.executemany("INSERT INTO fact (scope, scope_id, name, value) VALUES (?, ?, ?, ?)", rows)
            sql.execute("UPDATE trial SET started_at = ? || substr(started_at, 5)", (str(2020 + number),))
            sql.execute("UPDATE fact SET value = ? WHERE name = 'kernel.release'", (json.dumps(f"6.{number}"),))
            sql.commit()
        with CampaignFile.open(path, write=True) as file:
            file.add_facts([Fact("version.runc", f"1.{number + 1}", "environment", "runc")])
            file.add_facts([Fact("network.peer_round_trip_s", 0.001 * (number + 1))])
        paths.append(path)
    return paths[0], paths[1]


def changes(before: Path, after: Path) -> dict[tuple[str, str], Change]:
    one, other = (analyse(path) for path in (before, after))
    found = before_and_after((one.data, one.warnings), (other.data, other.warnings))
    return {(change.environment, change.relative): change for change in found}


def test_a_change_is_suggested(tmp_path: Path) -> None:
    found = changes(*campaigns(tmp_path, 0.8))
    one = found["runc", ""]
    assert (one.verdict, one.suggests) == (Verdict.DIFFERENT, True)
    assert one.interval is not None
    assert one.interval.low < 0.8 < one.interval.high
    assert found["native", ""].verdict is Verdict.COMPARABLE
    words = changes_in_words(list(found.values()), ("a", "b"), {})
    assert "The campaigns suggest that the rate of runc" in words
    assert "five starts of the host" in " ".join(words.split())


def test_five_starts_of_the_host_on_each_side_are_a_verdict(tmp_path: Path) -> None:
    one = changes(*campaigns(tmp_path, 0.8, starts=5))["runc", ""]
    assert (one.verdict, one.suggests, min(one.units) >= 5) == (Verdict.DIFFERENT, False, True)
    assert "suggest" not in changes_in_words([one], ("a", "b"), {})


def test_what_the_whole_device_did_is_not_the_environments(tmp_path: Path) -> None:
    """Everything became 20 % slower: absolutely different, but not relative to the baseline."""
    found = changes(*campaigns(tmp_path, 0.8, native=0.8))
    assert found["runc", ""].verdict is Verdict.DIFFERENT
    assert found["native", ""].verdict is Verdict.DIFFERENT
    assert found["runc", "native"].verdict is Verdict.COMPARABLE


def test_campaigns_that_alternate_have_stretches(tmp_path: Path) -> None:
    before, after = campaigns(tmp_path, 0.8)
    for path, odd in ((before, 0), (after, 1)):
        with closing(sqlite3.connect(path)) as sql:
            sql.execute(
                """UPDATE trial SET started_at = printf('2026-01-01T00:%02d:00Z',
                   (SELECT 2 * ((slot.block - 1) / 2) + ? FROM slot WHERE slot.slot = trial.slot))""",
                (odd,),
            )
            sql.commit()
    stretches = of_blocks(load(before), load(after))
    assert [len(set(one.values())) for one in stretches] == [5, 5]
    assert changes(before, after)["runc", ""].suggests is False


def test_a_forbidden_point_has_no_change(tmp_path: Path) -> None:
    before, after = campaigns(tmp_path, 0.8)
    with closing(sqlite3.connect(after)) as sql:
        sql.execute("UPDATE environment SET emulated = 1 WHERE environment = 'runc'")
        sql.commit()
    one = changes(before, after)["runc", ""]
    assert one.verdict is Verdict.NO_VERDICT
    assert "emulated" in one.reason


def test_the_verb_for_one_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = campaigns(tmp_path, 0.8)
    assert main(["compare", str(before), str(after)]) == 0
    said = capsys.readouterr().out
    assert "20 % lower than before, which is worse" in " ".join(said.split())
    assert "kernel.release: 6.0 → 6.1" in said
    assert "runc: version.runc: 1.1 → 1.2" in said
    assert "round_trip" not in said
    assert main(["compare", str(before), str(after), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["kind"] == "change"
    assert {one["verdict"] for one in report["comparisons"]} <= {"different", "comparable", "negligible"}


def test_the_verbs_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = make_campaign(tmp_path / "one.sqlite", PAIR)
    other = make_campaign(tmp_path / "other.sqlite", replace(PAIR, points=(WRITE,)))
    for argv in ([one], [one, other], [one, one, one]):
        assert main(["compare", *map(str, argv)]) == 2
    assert "share no point" in capsys.readouterr().err
    assert main(["compare", str(one), str(one)]) == 2
    assert "both files are the same campaign" in capsys.readouterr().err


def on_devices(directory: Path, count: int, ratio: float = 0.8, spread: float = 0.03) -> list[Path]:
    chance = random.Random(5)
    return [
        make_campaign(
            directory / f"board-{number}.sqlite",
            replace(
                PAIR,
                device=f"board-{number}",
                seed=number,
                truth={("runc", READ.name): ratio * math.exp(chance.gauss(0, spread))},
            ),
        )
        for number in range(count)
    ]


def test_five_devices_make_a_general_sentence(tmp_path: Path) -> None:
    [one] = across_devices([analyse(path) for path in on_devices(tmp_path, 5)])
    assert one.verdict is Verdict.DIFFERENT
    assert one.interval is not None
    assert one.interval.pairs == 5
    assert one.interval.low < 0.8 < one.interval.high
    assert "On devices like these" in devices_in_words([one])


def test_four_devices_do_not(tmp_path: Path) -> None:
    [one] = across_devices([analyse(path) for path in on_devices(tmp_path, 4)])
    assert (one.verdict, one.interval) == (Verdict.NO_VERDICT, None)
    assert one.reason == "4 of the 5 devices that a general sentence needs"
    words = devices_in_words([one])
    assert "Nothing general is said" in words
    assert "board-3: 0." in words


def test_boots_of_two_devices_are_never_pooled(tmp_path: Path) -> None:
    """Five boards that differ by much: the interval is as wide as the boards make it, however many blocks each has."""
    [one] = across_devices([analyse(path) for path in on_devices(tmp_path, 5, spread=0.3)])
    assert one.interval is not None
    assert one.interval.high / one.interval.low > 1.3


def test_a_device_at_its_limit_does_not_mix_its_metrics(tmp_path: Path) -> None:
    """There the rate is not judged and the CPU per unit of work is: two metrics, which are never one number."""
    paths = on_devices(tmp_path, 7)
    for path in paths[:2]:
        with CampaignFile.open(path, write=True) as file:
            file.add_facts([Fact("device.limit.read_bytes_per_s", 30e6)])
    found = {one.metric.name: one for one in across_devices([analyse(path) for path in paths])}
    assert set(found) == {"rate", "cpu_per_gb"}
    assert [bool(one.reason) for one in found["rate"].devices] == [True] * 2 + [False] * 5
    assert found["rate"].interval is not None
    assert (found["rate"].interval.pairs, found["rate"].verdict) == (5, Verdict.DIFFERENT)
    assert [one.device for one in found["cpu_per_gb"].devices] == ["board-0", "board-1"]
    assert not any(one.reason for one in found["cpu_per_gb"].devices)


def test_the_verb_for_devices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = on_devices(tmp_path, 3)
    assert main(["compare", *map(str, paths)]) == 0
    assert "3 of the 5 devices" in capsys.readouterr().out
    assert main(["compare", *map(str, paths), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "devices"


def test_two_campaigns_of_one_board_count_once(tmp_path: Path) -> None:
    paths = on_devices(tmp_path, 4)
    again = make_campaign(tmp_path / "again.sqlite", replace(PAIR, device="board-0", seed=99))
    [one] = across_devices([analyse(path) for path in (*paths, again)])
    assert len(one.devices) == 4


def test_there_is_nothing_to_compare_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        analyse(tmp_path / "nothing.sqlite")
