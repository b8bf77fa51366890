"""What a study may say about its statistics: precision, iterations, margins by class, primary, exclusions."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign.estimate import estimate_study
from primetime.campaign.session import primary_of
from primetime.campaign.study_file import load_study
from primetime.errors import UserError
from primetime.model import Study
from primetime.store.resolved import study_from_json, study_to_json

BASE = '[environments.native]\n[environments.runc]\n[[points]]\nworkload = "fio"\n[[points]]\nworkload = "netperf"\n'


def read(directory: Path, more: str, top: str = "") -> Study:
    path = directory / "mine.toml"
    path.write_text(f"{top}\n{BASE}\n{more}")
    return load_study(str(path))


@pytest.mark.parametrize(
    ("top", "more", "width"),
    [
        ("", "", 0.03),
        ("quick = true", "", 0.05),
        ("", '[blocks]\nprecision = "publication"', 0.02),
        ("quick = true", '[blocks]\nprecision = "publication"', 0.02),
        ("", '[blocks]\nprecision = "quick"', 0.05),
        ("", '[blocks]\nprecision = "publication"\nhalf_width = 0.015', 0.015),
    ],
)
def test_precision_is_a_half_width(tmp_path: Path, top: str, more: str, width: float) -> None:
    assert read(tmp_path, more, top).stopping.half_width == width


def test_margins_by_class_of_device(tmp_path: Path) -> None:
    study = read(tmp_path, '[margins]\nrate = 0.04\n[margins."Raspberry Pi"]\nrate = 0.1\ndefault = 0.08\n')
    assert study.margins["rate"] == 0.04
    assert study.margins["latency_p99"] == 0.20
    assert study.class_margins == {"Raspberry Pi": {"rate": 0.1, "default": 0.08}}
    assert study_from_json(study_to_json(study)) == study


def test_the_primary_metric_by_workload_and_by_point(tmp_path: Path) -> None:
    study = read(tmp_path, '[primary]\nfio = "iops"\nnetperf = "latency_p99"\n')
    assert [primary_of(study, point) for point in study.points] == ["iops", "latency_p99"]
    study = read(tmp_path, '[primary]\nnetperf = "latency_p50"\n')
    assert [primary_of(study, point) for point in study.points] == ["rate", "latency_p50"]


def test_rules_of_exclusion(tmp_path: Path) -> None:
    assert read(tmp_path, "").exclude == {}
    assert read(tmp_path, "[exclude]\nbusy = 0.5\n").exclude == {"busy": 0.5}


def test_iterations_cost_their_time(tmp_path: Path) -> None:
    once, thrice = (estimate_study(read(tmp_path, f"[blocks]\niterations = {n}\n"), frozenset()) for n in (1, 3))
    assert thrice.trials == 3 * once.trials
    assert thrice.seconds > 2 * once.seconds


def test_what_must_not_matter_is_varied_unless_the_study_says_no(tmp_path: Path) -> None:
    assert read(tmp_path, "").vary_setup
    assert not read(tmp_path, "", "vary_setup = false").vary_setup


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('[primary]\nfil = "iops"', "neither a workload nor a point"),
        ('[primary]\nfio = ""', "names no metric"),
        ("[margins.Jetson]\nrate = 2", "a margin lies between 0 and 1"),
        ('[blocks]\nprecision = "perfect"', "cannot be 'perfect'"),
        ("[blocks]\niterations = 0", "at least 1"),
        ("[exclude]\nvalue = 3", "unknown key"),
    ],
)
def test_mistakes_name_the_key(tmp_path: Path, more: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read(tmp_path, more)
