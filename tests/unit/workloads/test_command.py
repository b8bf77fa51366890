"""command: what a study may say of a user's program, the steps it becomes, and finding its figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from primetime.errors import TrialFailed, UserError
from primetime.model import Direction, MetricKind, Point, Recipe, Scalar, Site, StepOutput, TrialData, Where
from primetime.workloads import workload

SITE = Site("/data", 512, "198.18.1.2")
WHERE = "my.toml: points[1]"
RATE = {"name": "requests", "unit": "1/s", "direction": "higher", "regex": r"([-+\w.]+) requests/s"}
MEAN = {"name": "mean", "unit": "s", "direction": "lower", "json": '$.runs[0]["mean time"]'}
FILE = {"path": "/data/sub/run.sh", "mode": 0o755, "sha256": "x", "text": "#!/bin/sh\n"}
BYTES = {"path": "/tmp/server", "mode": 0o644, "sha256": "x", "base64": "AP8="}


def point(**given: object) -> Point:
    return Point("p", "command", workload("command").check(WHERE, {"argv": ["run"], **given}))


def recipe(site: Site = SITE, **given: object) -> Recipe:
    return workload("command").recipe(point(**given), site)


def parsed(stdout: str, stderr: str = "", **given: object) -> dict[str, float]:
    output = StepOutput("command.txt", ("run",), 0, stdout.encode(), stderr.encode(), 5.0, 7.5)
    found = workload("command").parse(point(**given), TrialData((output,), 5.0, 7.5))
    return {one.metric.name: one.value for one in found}


def test_the_last_match_counts() -> None:
    assert parsed("10 requests/s\n20.5 requests/s\n", "99 requests/s", metric=RATE)["requests"] == 20.5


def test_stderr_is_looked_at_where_stdout_has_no_match() -> None:
    assert parsed("done", "7 requests/s", metric=RATE)["requests"] == 7.0


@pytest.mark.parametrize("before", ["", "some words first\n", "{broken\n"])
def test_json_is_the_whole_output_or_its_last_line(before: str) -> None:
    assert parsed(before + '{"runs": [{"mean time": 0.25}]}\n', metric=MEAN)["mean"] == 0.25


def test_first_metric_is_primary_and_all_are_measured() -> None:
    both = [MEAN, RATE]
    said = '3 requests/s\n{"runs": [{"mean time": 0.25}]}'
    assert parsed(said, metrics=both) == {"mean": 0.25, "requests": 3.0, "duration": 2.5}
    assert workload("command").primary(point(metrics=both)) == "mean"


def test_without_a_metric_it_is_the_duration() -> None:
    assert parsed("whatever") == {"duration": 2.5}
    assert workload("command").primary(point()) == "duration"


def test_kind_follows_the_direction_unless_it_is_said() -> None:
    output = StepOutput("command.txt", ("run",), 0, b"3 requests/s", b"", 0.0, 1.0)
    kinds = []
    for table in (RATE, {**RATE, "direction": "lower"}, {**RATE, "kind": "ratio"}):
        metric = workload("command").parse(point(metric=table), TrialData((output,), 0.0, 1.0))[0].metric
        kinds.append((metric.direction, metric.kind))
    higher, lower = Direction.HIGHER, Direction.LOWER
    assert kinds == [(higher, MetricKind.RATE), (lower, MetricKind.COST), (higher, MetricKind.RATIO)]


@pytest.mark.parametrize(
    ("stdout", "metric", "words"),
    [
        ("", RATE, "requests: the output does not match"),
        ("many requests/s", RATE, "'many' is no number"),
        ("inf requests/s", RATE, "is no figure"),
        ("0 requests/s", RATE, "nothing to compare"),
        ("", MEAN, "mean: the output is no JSON"),
        ('{"runs": []}', MEAN, "has no 0"),
        ("[1]", MEAN, "has no 'runs'"),
        ("3", MEAN, "has no 'runs'"),
        ('{"runs": [{"mean time": true}]}', MEAN, "is no figure"),
        ('{"runs": [{"mean time": null}]}', MEAN, "is no number"),
        ('{"runs": [{"mean time": 1' + "0" * 400 + "}]}", MEAN, "is no number"),
    ],
)
def test_output_without_a_figure_fails_the_trial(stdout: str, metric: dict[str, str], words: str) -> None:
    with pytest.raises(TrialFailed, match=words):
        parsed(stdout, metric=metric)


@for_all(st.text())
def test_any_output_gives_figures_or_fails_the_trial(stdout: str) -> None:
    for metric in (RATE, MEAN):
        with pytest.raises(TrialFailed):
            parsed(stdout, metric=metric)


def test_words_go_to_the_program_as_they_are() -> None:
    words = ["awk", "{print $1; exit}", "$(reboot); `x` > y", "{peer}:7", "--in={data}/f"]
    made = recipe(argv=words, warm=["run", "--help"], timeout="5s")
    assert made.run[0].argv == (*words[:3], "198.18.1.2:7", "--in=/data/f")
    assert made.warm[0].argv == ("run", "--help")
    assert (made.run[0].timeout_s, made.duration_s) == (5.0, 5.0)


def test_files_go_to_their_side_with_their_mode() -> None:
    made = recipe(files=[FILE], server_files=[BYTES], server=["/tmp/server"], writes=True)
    assert [(one.where, one.path, one.content, one.mode) for one in made.files] == [
        (Where.TARGET, "/data/sub/run.sh", b"#!/bin/sh\n", 0o755),
        (Where.PEER, "/tmp/server", b"\x00\xff", 0o644),
    ]
    assert (made.servers[0].where, made.servers[0].argv) == (Where.PEER, ("/tmp/server",))
    assert made.writes


@pytest.mark.parametrize("given", [{"server": ["x"]}, {"argv": ["x", "{peer}"]}, {"warm": ["x", "{peer}"]}])
def test_a_point_that_needs_a_peer_is_skipped_without_one(given: dict[str, object]) -> None:
    alone = Site("/data", 512, "")
    assert "network.peer" in workload("command").skip_reason(point(**given), alone)
    assert workload("command").skip_reason(point(**given), SITE) == ""
    assert workload("command").skip_reason(point(), alone) == ""


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in RATE.items() if name != key}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"argv": []}, "argv is missing"),
        ({"argv": "run"}, "argv must be a list or a table"),
        ({"argv": {"a": 1}}, "argv must be a list of words"),
        ({"argv": ["run", 1]}, "argv must be a list of words"),
        ({"argv": ["run", "a\0b"]}, "argv must be a list of words"),
        ({"argv": [""]}, "argv names no program"),
        ({"argv": ["x" * 5000]}, "argv is longer than"),
        ({"argz": ["x"]}, "unknown key 'argz'"),
        ({"metric": RATE, "metrics": [RATE]}, "metric and metrics cannot both"),
        ({"metrics": RATE}, "metrics must be a list of tables"),
        ({"metrics": [RATE, RATE]}, "two metrics are called 'requests'"),
        ({"metric": "rate"}, "must be a table"),
        ({"metric": {**RATE, "unti": "s"}}, "unknown key 'unti'"),
        ({"metric": without("unit")}, "unit is missing"),
        ({"metric": without("regex")}, "needs either regex or json"),
        ({"metric": {**RATE, "json": "$"}}, "needs either regex or json"),
        ({"metric": {**RATE, "regex": "("}}, "does not compile"),
        ({"metric": {**RATE, "regex": "no group"}}, "has 0 groups"),
        ({"metric": {**RATE, "regex": "(a)(b)"}}, "has 2 groups"),
        ({"metric": {**MEAN, "json": "runs"}}, r"does not begin with \$"),
        ({"metric": {**MEAN, "json": "$.runs[*]"}}, r"not understood from '\[\*\]'"),
        ({"metric": {**RATE, "direction": "up"}}, "direction cannot be 'up'"),
        ({"metric": {**RATE, "kind": "speed"}}, "kind cannot be 'speed'"),
        ({"metric": {**RATE, "name": "Rate!"}}, "is no metric's name"),
        ({"metric": {**RATE, "name": "cpu_busy"}}, "what primetime measures itself"),
        ({"metric": {**RATE, "unit": "a\nb"}}, "is no unit"),
        ({"files": {"/data/x": "x"}}, "files must be a table such as"),
        ({"files": [{**FILE, "path": "/etc/passwd"}]}, "not a plain path below /data or /tmp"),
        ({"files": [{**FILE, "path": "/data/../etc/x"}]}, "not a plain path"),
        ({"files": [{**FILE, "path": "/data/"}]}, "not a plain path"),
        ({"server_files": [{**FILE, "path": "/data/x"}]}, "not a plain path below /tmp"),
        ({"timeout": "0ms"}, "timeout must be at least"),
    ],
)
def test_mistakes_name_the_key_and_a_way_out(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        workload("command").check(WHERE, {"argv": ["run"], **given})
    assert caught.value.message.startswith(f"{WHERE}: ")
    assert caught.value.hint


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@for_all(key=st.sampled_from(["argv", "files", "server", "server_files", "metric", "metrics", "warm"]), value=JSON)
def test_any_nested_value_is_checked_or_refused_in_words(key: str, value: object) -> None:
    refused: UserError | None = None
    params: Mapping[str, Scalar] = {}
    try:
        params = workload("command").check(WHERE, {"argv": ["run"], key: value})
    except UserError as error:
        refused = error
    if refused is None:
        assert all(isinstance(one, str | int | float) for one in params.values())
    else:
        assert refused.message.startswith(f"{WHERE}: ")


@for_all(st.lists(st.one_of(st.integers(0, 9), st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)), max_size=5))
def test_a_path_finds_what_was_put_there(steps: list[str | int]) -> None:
    document: object = 42
    for step in reversed(steps):
        document = {step: document} if isinstance(step, str) else [*([None] * step), document]
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    assert parsed(json.dumps(document), metric={**MEAN, "json": path})["mean"] == 42.0
