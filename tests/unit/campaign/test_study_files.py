"""Files that a study brings along, and nested values of a point."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign.estimate import PLANNED_SITE
from primetime.campaign.study_file import load_study
from primetime.errors import UserError
from primetime.store.resolved import study_from_json, study_to_json
from primetime.workloads import workload

NATIVE = "[environments.native]\n"
POINT = '[[points]]\nworkload = "command"\nargv = ["/data/run.sh", "--n", "1"]\n'
FILES = 'files = { "/data/run.sh" = "run.sh" }\n'


def written(tmp_path: Path, text: str) -> str:
    (tmp_path / "run.sh").write_bytes(b"#!/bin/sh\necho 1 \xc3\xa9\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "plain").write_bytes(b"\x00\xff")
    path = tmp_path / "my.toml"
    path.write_text(NATIVE + text)
    return str(path)


def test_files_are_read_with_the_study_and_travel_in_it(tmp_path: Path) -> None:
    extra = 'server = ["python3", "/tmp/s"]\nserver_files = { "/tmp/s" = "plain" }\n'
    study = load_study(written(tmp_path, POINT + FILES + extra))
    (tmp_path / "run.sh").unlink()
    again = study_from_json(study_to_json(study))
    files = workload("command").recipe(again.points[0], PLANNED_SITE).files
    assert [(one.path, one.content, one.mode) for one in files] == [
        ("/data/run.sh", b"#!/bin/sh\necho 1 \xc3\xa9\n", 0o755),
        ("/tmp/s", b"\x00\xff", 0o644),
    ]


def test_a_list_that_is_an_argv_makes_one_point(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, POINT + 'timeout = "5s"'))
    assert [point.name for point in study.points] == ["command"]
    crossed = load_study(written(tmp_path, POINT + "writes = [true, false]"))
    assert [point.name for point in crossed.points] == ["command-writes", "command"]


def test_points_may_share_a_file(tmp_path: Path) -> None:
    named = [f'{POINT}{FILES}name = "{name}"\ntimeout = "{limit}"\n' for name, limit in (("a", "5s"), ("b", "6s"))]
    assert len(load_study(written(tmp_path, "".join(named))).points) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('files = { "/data/x" = "none" }', "points[1].files: there is no file"),
        ('files = { "/data/x" = "." }', "there is no file"),
        ('files = { "/data/x" = 3 }', "3 is not the name of a file"),
        ('files = { "/data/x" = "" }', "'' is not the name of a file"),
        ('files = ["run.sh"]', "files: must be a table such as"),
        ('files = { "/etc/x" = "run.sh" }', "not a plain path below /data or /tmp"),
        ('metric = { name = "x", unit = "s", direction = "lower", regex = "(" }', "does not compile"),
        (f'{FILES}[[points]]\nworkload = "command"\nname = "b"\nargv = ["x"]\nfiles = {{ "/data/run.sh" = "plain" }}',
         "command and b put different files at /data/run.sh"),
    ],
)  # fmt: skip
def test_mistakes_name_file_key_and_a_way_out(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, POINT + text)
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert words in caught.value.message
    assert caught.value.message.startswith(path)
    assert caught.value.hint


def test_files_together_have_a_limit(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(600_000))
    two = 'files = { "/data/a" = "large", "/data/b" = "large" }'
    with pytest.raises(UserError, match="1200000 bytes, 1048576 at most"):
        load_study(written(tmp_path, POINT + two))
    assert load_study(written(tmp_path, POINT + 'files = { "/data/a" = "large" }'))
