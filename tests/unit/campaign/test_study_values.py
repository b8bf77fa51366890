"""Any value anywhere in a study file gives a study that can be planned, or one clear sentence: never a traceback."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primetime.campaign.estimate import estimate_study
from primetime.campaign.plan import plan_block
from primetime.campaign.study_file import load_study, resolve
from primetime.campaign.study_table import Table
from primetime.errors import UserError
from primetime.workloads import names, workload

WHOLE: dict[str, Any] = {
    "title": "whole",
    "quick": True,
    "baseline": "native",
    "environments": {"native": {}, "boxed": {"kind": "runc", "storage": "bind"}, "qemu": {"cache": "none"}},
    "limits": {"cpus": 1, "memory": "512MiB", "budget": "guest", "host_cache": "64MiB"},
    "volume": {"mode": "image", "path": "/x", "size": "1GiB"},
    "blocks": {"min": 1, "max": 2, "half_width": 0.1, "budget": "1h"},
    "pace": {"settle": "1s", "settle_limit": "1s", "cool_within": 1.0, "cool_limit": "1s"},
    "network": {"peer": "namespace"},
    "margins": {"default": 0.05},
    "tuning": {"swappiness": 10},
    "cpu": {"environment": [1]},
    "images": {"kernel": "host"},
    "points": [{"workload": "fio", "rw": ["read", "write"], "size": "16MiB"}, {"workload": "netperf", "name": "small"}],
}
HUGE = ("9" * 400 + "s", "9" * 400 + "MiB", "9" * 200 + "h", "9" * 200 + "TB", 10**30, inf, -inf, nan)
ODD: tuple[Any, ...] = (
    0,
    -1,
    True,
    "",
    "x",
    "../..",
    "\x1b[2J",
    "\0",
    "-o",
    "٣s",
    "0s",
    "0B",
    [],
    [[1]],
    [{}],
    {},
    {"a": {"b": 1}},
)
VALUES = st.one_of(
    st.sampled_from((*HUGE, *ODD, date(2020, 2, 29), [True], [0, 0], ["4KiB", 1], [inf])),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.from_regex(r"[0-9]{1,4}(\.[0-9])?(B|KiB|MiB|GB|ms|s|min|d)", fullmatch=True),
)


def places(content: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every table, list and value in it."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [path, *(found for key, value in inner for found in places(value, (*path, key)))]


PLACES = [path for path in places(WHOLE) if path]
PARAMETERS = [(name, parameter.name) for name in names() for parameter in workload(name).parameters]


def replaced(path: tuple[Any, ...], value: object) -> dict[str, Any]:
    content = deepcopy(WHOLE)
    table: Any = content
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    return content


def plan_or_mistake(content: dict[str, Any]) -> None:
    """Plan what the content says; its mistake must name the file and offer a hint."""
    study, mistake = None, None
    try:
        study = resolve("my", Table("my.toml", "", content), "", smoke=False)
    except UserError as error:
        mistake = error
    if study is None:
        assert mistake is not None
        assert mistake.message.startswith("my.toml: ")
        assert mistake.hint
        return
    plan_block(study, 1, 1, [point.name for point in study.points], frozenset())
    estimate = estimate_study(study, frozenset())
    assert estimate.trials > 0
    assert 0 < estimate.seconds < inf


@settings(max_examples=300)
@given(st.sampled_from(PLACES), VALUES)
def test_any_value_in_any_place(path: tuple[Any, ...], value: object) -> None:
    plan_or_mistake(replaced(path, value))


@settings(max_examples=200)
@given(st.sampled_from(PARAMETERS), VALUES)
def test_any_value_for_any_parameter_of_a_workload(parameter: tuple[str, str], value: object) -> None:
    name, key = parameter
    plan_or_mistake({**deepcopy(WHOLE), "points": [{"workload": name, key: value}]})


@pytest.mark.parametrize("value", HUGE)
@pytest.mark.parametrize("path", [("volume", "size"), ("limits", "memory"), ("pace", "settle"), ("blocks", "max")])
def test_what_no_device_can_do_is_refused(path: tuple[str, str], value: object) -> None:
    with pytest.raises(UserError, match=f"^my.toml: {'.'.join(path)}: "):
        resolve("my", Table("my.toml", "", replaced(path, value)), "", smoke=False)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("network", "peer"), "../..", "network.peer: '../..' is no host or host:port"),
        (("network", "peer"), "-L", "network.peer: '-L' is no host or host:port"),
        (("network", "peer"), "board.local:0", "network.peer: 'board.local:0' is no host"),
        (("network", "peer"), "board.local:65536", "network.peer: 'board.local:65536' is no host"),
        (("network",), {"pear": "namespace"}, "network.pear: unknown key"),
        (("blocks", "half_width"), 1, "blocks.half_width: must be below 1"),
        (("blocks", "max"), 10**6, "blocks.max: can be at most 1000"),
        (("tuning", "swappiness"), "low", "tuning.swappiness cannot be 'low'"),
        (("cpu", "environment"), [True], "cpu.environment: must be a list of different CPU numbers"),
        (("images", "kernel"), "", "images.kernel: names nothing"),
        (("title",), "\x1b[2J", "title: '\\x1b[2J' holds control characters"),
        (("limits", "cpus"), 2, "limits.cpus: 2 is not the number of CPUs in cpu.environment (1)"),
        (("points",), [{"workload": "fio", "runtime": "9" * 99 + "s"}], "points[1].runtime: cannot be as large as"),
        (("points",), [{"workload": "fio", "size": "9" * 400 + "B"}], "points[1].size: is longer than 250 characters"),
        (("points",), [{"workload": "fio", "bs": [4096] * 40, "rate": [0] * 40}], "points[1]: its lists make 1600"),
    ],
)
def test_mistakes_in_words(path: tuple[str, ...], value: object, words: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve("my", Table("my.toml", "", replaced(path, value)), "", smoke=False)
    assert caught.value.message.startswith(f"my.toml: {words}")


@pytest.mark.parametrize("peer", ["namespace", "192.0.2.7", "board-3.local", "board-3.local:12865", ""])
def test_peers_that_can_be_named(peer: str) -> None:
    assert resolve("my", Table("my.toml", "", replaced(("network", "peer"), peer)), "", smoke=False).peer == peer


def test_what_differs_between_points_stands_in_their_names() -> None:
    points = [{"workload": "fio", "size": ["16MiB", "32MiB"], "runtime": "2s"}]
    study = resolve("my", Table("my.toml", "", {**deepcopy(WHOLE), "points": points}), "", smoke=False)
    assert [point.name for point in study.points] == ["fio-16MiB", "fio-32MiB"]


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "x = " + "9" * 10_000, "x = 2020-02-31"])
def test_toml_that_python_cannot_hold(tmp_path: Path, text: str) -> None:
    path = tmp_path / "my.toml"
    path.write_text(text)
    with pytest.raises(UserError, match="^" + str(path)):
        load_study(str(path))
