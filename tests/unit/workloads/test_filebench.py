"""filebench: parameters, the recipe, and the real program's output, good and bad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from primetime.errors import TrialFailed, UserError
from primetime.model import Point, Site, StepOutput, TrialData
from primetime.workloads import workload
from primetime.workloads.filebench import OUTPUT

RECORDED = Path(__file__).parents[2] / "recorded"
SITE = Site("/data", 512, "")
MEMBER = workload("filebench")
BROUGHT = {"path": "/data/fb/bin/filebench", "mode": 0o755, "sha256": "", "base64": "f0VMRg=="}
OWN = {"path": "/data/own.f", "mode": 0o644, "sha256": "", "text": "run 1\n"}


def point(**given: object) -> Point:
    return Point("p", "filebench", MEMBER.check("points[1]", given))


def recorded(what: str) -> bytes:
    return (RECORDED / f"filebench-1.5-alpha3-{what}.txt").read_bytes()


def values(what: str, personality: str) -> dict[str, float]:
    output = StepOutput(OUTPUT, ("setarch",), 0, recorded(what), b"", 0.0, 5.0)
    data = TrialData((output,), 0.0, 5.0, 1.0)
    return {one.metric.name: one.value for one in MEMBER.parse(point(personality=personality), data)}


def test_real_output_of_varmail() -> None:
    found = values("varmail", "varmail")
    assert found["operation_rate"] == pytest.approx(352_980.251, rel=1e-6)
    assert found["tool_duration"] == pytest.approx(706_215 / 352_980.251)
    assert found["read_rate"] == pytest.approx((443.1 + 472.4) * 2**20, rel=1e-3)
    assert found["write_rate"] == pytest.approx((212.0 + 211.6) * 2**20, rel=1e-3)
    assert found["fsyncs_per_operation"] == pytest.approx((54_328 + 54_331) / 706_215)
    assert found["deletefile_mean"] == pytest.approx(0.032e-3)


def test_real_output_of_fileserver() -> None:
    found = values("fileserver", "fileserver")
    assert found["read_rate"] == pytest.approx(391.2 * 2**20, rel=1e-3)
    assert found["write_rate"] == pytest.approx((136.2 + 256.6) * 2**20, rel=1e-3)
    assert "fsyncs_per_operation" not in found
    assert found["drained_operation_rate"] < found["operation_rate"]


def test_operations_are_those_of_the_summary_not_the_pauses_beside_them() -> None:
    found = values("videoserver", "videoserver")
    assert found["operation_rate"] * found["tool_duration"] == pytest.approx(1303)
    assert found["read_rate"] == pytest.approx(144.0 * 2**20, rel=1e-3)


def test_no_cpu_cost_is_made_of_it() -> None:
    output = StepOutput(OUTPUT, ("setarch",), 0, recorded("varmail"), b"", 0.0, 5.0)
    measured = MEMBER.parse(point(personality="varmail"), TrialData((output,), 0.0, 5.0))
    units = {one.metric.name: one.metric.unit for one in measured}
    assert units[MEMBER.primary(point())] == "ops/s"  # its window holds the preparation: campaign/trial.py COST


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no-valid-results", "NO VALID RESULTS! Filebench run terminated prematurely"),
        ("no-valid-results", r"flowop append1-1 failed"),
        ("out-of-files", "could not obtain a file"),
        ("no-cvar", "Undefined custom variable cvar-gamma"),
        ("no-space", "Failed to pre-allocate file"),
        ("syntax-error", "syntax error at 'nonsense'"),
    ],
)
def test_output_without_a_valid_result_fails_with_its_reason(what: str, words: str) -> None:
    with pytest.raises(TrialFailed, match=words):
        values(what, "fileserver")
    assert words.split("!")[0] in MEMBER.complaint(recorded(what), b"")


@pytest.mark.parametrize("kept", [0, 300, 900])
def test_output_that_is_cut_off(kept: int) -> None:
    output = StepOutput(OUTPUT, ("setarch",), 0, recorded("varmail")[:kept], b"", 0.0, 5.0)
    with pytest.raises(TrialFailed, match="filebench"):
        MEMBER.parse(point(), TrialData((output,), 0.0, 5.0))


def test_a_container_that_forbids_setarch() -> None:
    said = b"setarch: failed to set personality to (null): Function not implemented\n"
    assert "seccomp = 'none'" in MEMBER.complaint(b"", said)


def test_the_recipe_brings_the_script_and_runs_it_without_address_randomisation() -> None:
    made = MEMBER.recipe(point(personality="varmail", runtime="7s"), SITE)
    (script,) = made.files
    assert made.run[0].argv == ("setarch", "-R", "filebench", "-f", script.path)
    assert script.content.endswith(b"run 7\n")
    assert made.layout == ()
    assert made.bytes_written == 1000 * 16384 * 80 // 100 + 7 * 20_000_000
    assert made.run[0].timeout_s > 60


def test_a_script_of_the_users() -> None:
    one = point(personality="/data/own.f", binary="/data/fb/bin/filebench", files=[OWN, BROUGHT], runtime="120s")
    made = MEMBER.recipe(one, SITE)
    hurried = MEMBER.recipe(one, replace(SITE, smoke=True))
    assert (hurried.duration_s, hurried.run[0].timeout_s) == (made.duration_s, made.run[0].timeout_s)
    assert made.run[0].timeout_s > 120 + 600  # it may prepare as much as it likes
    assert made.run[0].argv[-2:] == ("-f", "/data/own.f")
    assert [file.path for file in made.files] == ["/data/own.f", "/data/fb/bin/filebench"]
    assert MEMBER.programs(one) == ()
    output = StepOutput(OUTPUT, ("setarch",), 0, recorded("varmail"), b"", 0.0, 5.0)
    names = {measured.metric.name for measured in MEMBER.parse(one, TrialData((output,), 0.0, 5.0))}
    assert {"operation_rate", "fsync_new_mean"} <= names


def test_a_missing_binary_is_a_skip() -> None:
    assert MEMBER.programs(point()) == ("filebench",)
    assert MEMBER.skip_reason(point(), SITE) == ""
    assert "not shipped" in MEMBER.skip_reason(point(), replace(SITE, absent=frozenset({"filebench"})))


@pytest.mark.parametrize(
    "given",
    [
        {"personality": "mailserver"},
        {"personality": "own.f"},
        {"personality": "/data/own.f"},
        {"personality": "/data/own.f", "runtime": "60s", "nthreads": 4},
        {"runtime": "1.5s"},
        {"binary": " "},
        {"files": {"/etc/passwd": "x"}},
        {"files": [{**BROUGHT, "path": "/etc/passwd"}]},
        {"prealloc": 101},
    ],
)
def test_what_a_study_may_not_say(given: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"^points\[1\]"):
        point(**given)
