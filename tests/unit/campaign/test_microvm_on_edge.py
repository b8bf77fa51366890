"""The shipped study: its matrix, what is matched in it, and what it costs."""

from __future__ import annotations

import pytest

from primetime.campaign.estimate import estimate_study
from primetime.campaign.groups import BLOCK_LIMIT_S
from primetime.campaign.study_file import load_study
from primetime.environments import environment
from primetime.model import Study

SIZES = (256, 2048, 4096, 65536, 524288)


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study("microvm-on-edge")


def test_every_environment_of_the_study_stands_in_it(study: Study) -> None:
    kinds = {spec.label: spec.kind for spec in study.environments}
    assert {"native", "runc", "qemu", "firecracker", "kata"} <= set(kinds)
    assert kinds["firecracker-default"] == "firecracker"
    assert study.baseline == "native"


def test_durability_is_matched_and_firecrackers_default_is_a_variant(study: Study) -> None:
    values = {spec.label: environment(spec).values for spec in study.environments}
    assert values["qemu"]["cache"] == "none"
    assert values["firecracker"]["cache_type"] == "Writeback"
    assert values["kata"]["cache"] == "safe"
    assert values["firecracker-default"]["cache_type"] == "Unsafe"


def test_the_matrix_of_points(study: Study) -> None:
    buffered = {
        (point.params["rw"], point.params["bs"])
        for point in study.points
        if point.workload == "fio" and not point.params["direct"] and not point.params["fsync"]
    }
    assert buffered == {(rw, bs) for rw in ("read", "write", "randread", "randwrite") for bs in SIZES}
    messages = {point.params["message"] for point in study.points if point.workload == "netperf"}
    assert messages == {64, 256, 1024, 2048, 4096}
    personalities = {point.params["personality"] for point in study.points if point.workload == "files"}
    assert personalities == {"fileserver", "varmail"}
    assert {"start", "idle"} <= {point.workload for point in study.points}


def test_it_is_split_into_groups_that_fit_a_block_and_says_what_it_costs(study: Study) -> None:
    groups = {point.group for point in study.points}
    assert len(groups) > 1
    estimate = estimate_study(study, ())
    blocks = study.stopping.max_blocks
    assert estimate.seconds / blocks / len(groups) <= BLOCK_LIMIT_S
    assert estimate.bytes_written > 0
