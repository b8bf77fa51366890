"""Files that are no campaign: one sentence and a hint, never a traceback."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from full_disk import no_file_over
from made_campaign import Making, make_campaign

from primetime.errors import UserError
from primetime.store import CampaignFile
from primetime.store.database import refuse_existing
from primetime.store.schema import FORMAT_VERSION

SMALL = Making(blocks=1)


def refused(path: Path) -> UserError:
    """Return what opening says."""
    with pytest.raises(UserError) as raised:
        CampaignFile.open(path, write=False)
    assert raised.value.hint
    return raised.value


def test_a_missing_file(tmp_path: Path) -> None:
    assert "there is no campaign file" in refused(tmp_path / "none.sqlite").message
    assert not (tmp_path / "none.sqlite").exists()


def test_a_directory(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path).message


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite").touch()
    assert "is empty" in refused(tmp_path / "empty.sqlite").message


def test_text(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be read as a header of one\n" * 40)
    assert "is not a campaign file" in refused(tmp_path / "notes.txt").message


def test_another_programs_database(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "foreign.sqlite")) as sql:
        sql.execute("CREATE TABLE trial (x)")
    assert "is not a campaign file" in refused(tmp_path / "foreign.sqlite").message


def test_a_newer_format(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", SMALL)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    error = refused(path)
    assert "newer primetime" in error.message
    assert "upgrade" in error.hint


def test_a_campaign_that_never_began(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", SMALL)
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("DELETE FROM campaign_record")
        sql.commit()
    assert "never began" in refused(path).message


def test_a_truncated_campaign(tmp_path: Path) -> None:
    path = make_campaign(tmp_path / "made.sqlite", SMALL)
    path.write_bytes(path.read_bytes()[:5000])
    assert "is not a campaign file" in refused(path).message


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        make_campaign(tmp_path / "file" / "made.sqlite", SMALL)


@pytest.mark.parametrize("name", ["/dev/null", "pipe"])
def test_what_is_no_regular_file(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    error = refused(tmp_path / name)
    assert "is not a regular file" in error.message
    assert "rm" not in error.hint


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 300}.sqlite"
    assert "file name too long" in refused(path).message
    with pytest.raises(UserError, match="file name too long"):
        refuse_existing(path)
    with pytest.raises(UserError, match="file name too long"):
        make_campaign(path, SMALL)


def test_a_path_that_is_too_long_for_sqlite_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["x" * 200] * 3, "made.sqlite")
    with pytest.raises(UserError, match="cannot write"):
        make_campaign(path, SMALL)
    assert not path.exists()


def test_a_name_that_is_no_text_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not UTF-8"):
        make_campaign(tmp_path / "y\udcff.sqlite", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_campaign_that_cannot_be_begun_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "made.sqlite"
    with pytest.raises(UnicodeEncodeError):  # of the caller's making: a bug, but no reason to leave an empty file
        make_campaign(path, Making(blocks=1, name="y\udcff"))
    with no_file_over(8192), pytest.raises(UserError, match="cannot write"):
        make_campaign(path, SMALL)
    assert list(tmp_path.iterdir()) == []
