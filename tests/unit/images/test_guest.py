"""What is known of a userland without starting anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign.survey import absent_programs
from primetime.images.guest import GuestImages
from primetime.model import Point
from primetime.workloads import workload
from primetime.workloads.files import PROGRAM


@pytest.fixture
def images(tmp_path: Path) -> GuestImages:
    for name in ("usr/bin/fio", "usr/local/bin/filebench"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "usr/bin/linked").symlink_to("/etc/alternatives/what-lies-inside")
    here = tmp_path
    return GuestImages("amd64", here, {}, here, here, None, "6.12", None, here, here, here, None, {})


@pytest.mark.parametrize(
    ("program", "there"),
    [
        ("fio", True),
        ("filebench", True),
        ("linked", True),
        ("/usr/bin/fio", True),
        ("netperf", False),
        (PROGRAM, False),
    ],
)
def test_programs_by_name_and_by_path(images: GuestImages, program: str, there: bool) -> None:
    assert images.has(program) is there


def test_absent_is_what_points_need_and_the_userland_lacks(images: GuestImages) -> None:
    points = [Point(name, name, workload(name).check(name, {})) for name in ("fio", "files", "filebench")]
    assert absent_programs(points, images) == {PROGRAM}
