"""files: parameters, the recipe, what `plan` counts, and the program's real output."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from primetime.errors import TrialFailed, UserError
from primetime.model import Point, Site, StepOutput, TrialData
from primetime.workloads import workload
from primetime.workloads.files import OUTPUT, PROGRAM

RECORDED = Path(__file__).parents[2] / "recorded"
SITE = Site("/data", 512, "")
MEMBER = workload("files")


def point(**given: object) -> Point:
    return Point("p", "files", MEMBER.check("points[1]", given))


def data(stdout: bytes, drain_s: float = 0.0) -> TrialData:
    return TrialData((StepOutput(OUTPUT, (PROGRAM,), 0, stdout, b"", 0.0, 1.0),), 0.0, 1.0, drain_s)


def values(stdout: bytes, drain_s: float = 0.0) -> dict[str, float]:
    return {one.metric.name: one.value for one in MEMBER.parse(point(), data(stdout, drain_s))}


def test_real_output() -> None:
    recorded = (RECORDED / "files-1-varmail.json").read_bytes()
    document = json.loads(recorded)
    total = sum(one["count"] for one in document["operations"])
    found = values(recorded, drain_s=1.0)
    assert found["operation_rate"] == pytest.approx(total / document["seconds"])
    assert found["drained_operation_rate"] == pytest.approx(total / (document["seconds"] + 1.0))
    assert found["fsyncs_per_operation"] == pytest.approx(2 / 13, rel=0.001)
    written = sum(one["bytes"] for one in document["operations"] if one["kind"] == "appendfilerand")
    assert found["write_rate"] == pytest.approx(written / document["seconds"])
    assert found["fsync_mean"] > 0
    assert "writewholefile_mean" not in found


@pytest.mark.parametrize("part", [0, 1, 0.5, 0.99])
def test_output_that_is_cut_off(part: float) -> None:
    recorded = (RECORDED / "files-1-varmail.json").read_bytes()
    with pytest.raises(TrialFailed, match="not understood"):
        values(recorded[: int(len(recorded) * part) if part < 1 else 1])


def test_a_run_that_completed_nothing() -> None:
    with pytest.raises(TrialFailed, match="no operation"):
        values(b'{"seconds": 1.0, "operations": []}')


def test_the_personality_decides_what_the_study_leaves_open() -> None:
    params = point(personality="varmail", nfiles=500).params
    assert (params["nfiles"], params["nthreads"], params["meanfilesize"]) == (500, 16, 16384)


@pytest.mark.parametrize(
    "given",
    [
        {"personality": "oltp"},
        {"nthreads": 0},
        {"meandirwidth": 1},
        {"prealloc": 120},
        {"iosize": "64MiB"},
        {"meanfilesize": 1.5},
        {"filesize": "1MiB"},
    ],
)
def test_what_a_study_may_not_say(given: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"^points\[1\]"):
        point(**given)


def test_the_layout_is_no_part_of_the_window() -> None:
    made = MEMBER.recipe(point(personality="varmail", runtime="5s"), SITE)
    layout, run = made.layout[0].argv, made.run[0].argv
    assert layout == (PROGRAM, "layout", "/data/files-p", "1", "fileset=bigfileset,1000,16384,1.5,1000000,80,0")
    assert run[:5] == (PROGRAM, "run", *layout[2:])
    assert run[5:8] == ("threads=16", "memsize=10485760", "runtime=5")
    assert made.duration_s == 5.0
    assert made.writes


def test_two_points_do_not_share_files() -> None:
    one = point()
    other = replace(one, name="q")
    assert MEMBER.recipe(one, SITE).layout_key != MEMBER.recipe(other, SITE).layout_key


def test_what_plan_counts() -> None:
    server = MEMBER.recipe(point(runtime="10s"), SITE)
    assert server.layout_bytes == 10_000 * 131_072 * 80 // 100
    assert server.bytes_written == 2_000_000_000
    mail = MEMBER.recipe(point(personality="varmail", runtime="10s"), SITE)
    assert mail.bytes_written == 200_000_000


def test_a_smoke_trial() -> None:
    made = MEMBER.recipe(point(runtime="60s", nthreads=50), replace(SITE, smoke=True))
    assert "threads=4" in made.run[0].argv
    assert "runtime=1" in made.run[0].argv
    assert made.layout_bytes < 64 * 2**20


def test_a_userland_without_the_program() -> None:
    assert MEMBER.skip_reason(point(), SITE) == ""
    assert "primetime setup" in MEMBER.skip_reason(point(), replace(SITE, absent=frozenset({PROGRAM})))
    assert MEMBER.programs(point()) == (PROGRAM,)
