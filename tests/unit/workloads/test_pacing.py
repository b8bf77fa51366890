"""Points at a part of the baseline's rate: how they are written, resolved and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from primetime.campaign.estimate import estimate_study
from primetime.campaign.study_file import load_study
from primetime.errors import UserError
from primetime.model import Point, Site
from primetime.workloads import workload
from primetime.workloads.pacing import paced, share_of, unpaced

SITE = Site("/data", 512, "198.18.1.2")
STUDY = """
[environments.native]
[network]
peer = "namespace"
[[points]]
workload = "fio"
rw = ["read", "randrw"]
rate = ["25%", "50 %", "1MB"]
[[points]]
workload = "iperf3"
rate = "12.5%"
"""


def point(name: str, **given: object) -> Point:
    """A point with its defaults."""
    return Point("p", name, workload(name).check("here", given))


def options(one: Point, word: str) -> list[str]:
    """The options of a point's program that begin so."""
    return [said for said in workload(one.workload).recipe(one, SITE).run[0].argv if said.startswith(word)]


def test_a_study_says_parts_and_figures(tmp_path: Path) -> None:
    path = tmp_path / "paced.toml"
    path.write_text(STUDY)
    study = load_study(str(path))
    names = [one.name for one in study.points]
    assert names[:3] == ["fio-read-rate25pct", "fio-read-rate50pct", "fio-read-1MB"]
    assert names[-1] == "iperf3-rate12.5pct"
    assert [one.params["rate"] for one in study.points[:3]] == ["25%", "50%", 10**6]
    whole = estimate_study(study, frozenset())
    free = estimate_study(replace(study, points=tuple(map(unpaced, study.points))), frozenset())
    assert whole.trials == free.trials
    assert whole.seconds - free.seconds > 5 * 10.0, "one more boot, with the five points at a part"


@pytest.mark.parametrize("name", ["fio", "iperf3"])
@pytest.mark.parametrize("rate", ["0%", "101%", "-5%", "%", "half%"])
def test_a_part_that_is_none_is_one_sentence(name: str, rate: str) -> None:
    with pytest.raises(UserError, match="a part lies above 0% and at most at 100%") as caught:
        point(name, rate=rate)
    assert 'rate = "50%"' in caught.value.hint


def test_netperf_says_that_it_cannot() -> None:
    with pytest.raises(UserError, match="netperf keeps to no rate") as caught:
        point("netperf", rate="50%")
    assert "iperf3" in caught.value.hint


def test_only_rates_are_parts() -> None:
    with pytest.raises(UserError, match="bs must be a size"):
        point("fio", bs="50%")


@pytest.mark.parametrize(
    ("one", "word", "free", "kept"),
    [
        (point("fio", rate="50%"), "--rate=", [], ["--rate=5000001"]),
        (point("fio", rw="randrw", rate="50%"), "--rate=", [], ["--rate=2500001,2500001"]),
        (point("iperf3", rate="50%"), "--bitrate=", ["--bitrate=0"], ["--bitrate=5000001"]),
    ],
)
def test_a_part_is_skipped_until_it_is_a_figure(one: Point, word: str, free: list[str], kept: list[str]) -> None:
    member = workload(one.workload)
    assert share_of(one) == 0.5
    assert "50% of it is not known" in member.skip_reason(one, SITE)
    assert options(one, word) == free, "a plan may look at it"
    resolved = paced(one, 10_000_002.4)
    assert member.skip_reason(resolved, SITE) == ""
    assert options(resolved, word) == kept
    assert options(unpaced(one), word) == free
    with pytest.raises(ValueError, match="keeps to no part"):
        paced(resolved, 1.0)


def test_a_rate_never_becomes_none() -> None:
    assert paced(point("fio", rate="1%"), 3.0).params["rate"] == 1
