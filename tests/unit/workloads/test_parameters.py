"""Parameters of points, and the registry: what a study file may say, and what it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primetime.errors import UserError
from primetime.model import Point, Recipe, Scalar, Site, Where
from primetime.workloads import names, workload
from primetime.workloads.base import Kind, Parameter, Workload, convert

SITE = Site("/data", 512, "198.18.1.2")
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.integers(), max_size=2)
)


REQUIRED: dict[str, dict[str, object]] = {"command": {"argv": ["true"]}}  # what has no default


@pytest.mark.parametrize("name", [*names(), "fake"])
def test_every_member_works_with_its_defaults(name: str) -> None:
    member = workload(name)
    point = Point("p", name, member.check("p", REQUIRED.get(name, {})))
    made = member.recipe(point, SITE)
    assert member.name == name
    assert member.summary
    assert member.primary(point)
    assert member.skip_reason(point, SITE) == ""
    assert isinstance(made, Recipe)
    assert all(step.where is Where.PEER for step in made.servers)


@pytest.mark.parametrize("name", names())
def test_defaults_are_values_that_a_user_could_give(name: str) -> None:
    for parameter in workload(name).parameters:
        assert not parameter.choices or parameter.default in parameter.choices
        assert isinstance(parameter.default, str | bool) or parameter.default >= parameter.least
        assert parameter.help


def test_fake_is_not_offered_to_users() -> None:
    assert "fake" not in names()
    with pytest.raises(UserError, match="unknown workload 'fiio'") as caught:
        workload("fiio")
    assert caught.value.hint == "known workloads: fio, netperf, iperf3, files, filebench, command, start, idle, ladder"


def test_every_ask_gives_a_new_member() -> None:
    assert workload("fio") is not workload("fio")


@given(kind=st.sampled_from(Kind), value=ANYTHING)
def test_conversion_gives_the_kind_or_nothing(kind: Kind, value: object) -> None:
    wanted: dict[Kind, type] = {
        Kind.INT: int, Kind.FLOAT: float, Kind.BOOL: bool, Kind.TEXT: str, Kind.SIZE: int, Kind.DURATION: float,
        Kind.NESTED: str, Kind.FILES: str,
    }  # fmt: skip
    found = convert(kind, value)
    assert found is None or type(found) is wanted[kind]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    assert convert(Kind.FLOAT, value) is None


@given(name=st.sampled_from(names()), key=st.text(max_size=12), value=ANYTHING)
def test_any_key_and_value_is_checked_or_refused_in_words(name: str, key: str, value: object) -> None:
    member = workload(name)
    known: list[str] = [parameter.name for parameter in member.parameters]
    for asked in (key, *known):
        assert_checked(member, {asked: value})


def assert_checked(member: Workload, chosen: dict[str, object]) -> None:
    refused: UserError | None = None
    params: dict[str, Scalar] = {}
    try:
        params = member.check("my.toml: points[1]", chosen)
    except UserError as error:
        refused = error
    if refused is None:
        assert set(params) == {parameter.name for parameter in member.parameters}
    else:
        assert refused.message.startswith("my.toml: points[1]: ")
        assert refused.hint


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("slow", "speed must be a number, not 'slow'"),
        (True, "speed must be a number"),
        (0.5, "speed must be at least 1"),
    ],
)
def test_wrong_value_says_what_is_wanted(value: Scalar, words: str) -> None:
    parameter = Parameter("speed", Kind.FLOAT, 1.0, "how fast, in metres per second", least=1.0)
    with pytest.raises(UserError, match=words) as caught:
        parameter.value("p", value)
    assert caught.value.hint == "how fast, in metres per second"


def test_near_miss_is_suggested() -> None:
    with pytest.raises(UserError) as caught:
        workload("netperf").check("p", {"messages": "64B"})
    assert caught.value.hint == "did you mean message?"
