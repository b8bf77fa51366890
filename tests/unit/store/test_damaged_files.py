"""Campaigns whose pages or content somebody else has changed: a sentence and a hint, never a traceback."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from full_disk import no_file_over
from made_campaign import Making, make_campaign

from primetime.analysis import analyse
from primetime.errors import UserError
from primetime.model import CampaignState, Fact
from primetime.store import CampaignFile
from primetime.store.export import export

SMALL = Making(blocks=1)
PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_campaign(tmp_path_factory.mktemp("whole") / "made.sqlite", SMALL)


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "made.sqlite"))


def edit(path: Path, sql: str) -> None:
    """Change a campaign as anybody's SQLite could."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql)
        connection.commit()


def zero(path: Path, table: str) -> None:
    """Overwrite the root page of a table, as a bad block would."""
    with closing(sqlite3.connect(path)) as connection:
        [(page,)] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(bytes(PAGE))


def to_csv(path: Path) -> object:
    return export(path, path.with_suffix(".csv"), "csv")


def to_parquet(path: Path) -> object:
    pytest.importorskip("pyarrow")
    return export(path, path.with_suffix(".parquet"), "parquet")


def study(path: Path) -> object:
    with CampaignFile.open(path, write=True) as file:
        return file.state(), file.study(), file.facts(), file.open_slot(1)


@pytest.mark.parametrize("ask", [analyse, to_csv])
@pytest.mark.parametrize("table", ["measurement", "trial", "fact", "boot"])
def test_a_page_that_holds_nothing(path: Path, table: str, ask: Callable[[Path], object]) -> None:
    zero(path, table)
    with pytest.raises(UserError, match="is damaged") as refused:
        ask(path)
    assert ".recover" in refused.value.hint


def test_a_page_that_holds_nothing_is_not_written_to(path: Path) -> None:
    zero(path, "fact")
    with CampaignFile.open(path, write=True) as file, pytest.raises(UserError, match="is damaged"):
        file.add_facts([Fact("new", 1)])


NOT_TEXT = "CAST(x'ff6e' AS TEXT)"
EDITS = {
    "text that is none": (f"UPDATE trial SET reason = {NOT_TEXT}", analyse),
    "text that is none, in an export": (f"UPDATE trial SET reason = {NOT_TEXT}", to_csv),
    "raw output that was not packed": ("UPDATE raw_output SET content = x'00'", to_csv),
    "a fact that is no JSON": ("UPDATE fact SET value = '{'", analyse),
    "a fact that is no JSON, in an export": ("UPDATE fact SET value = '{'", to_csv),
    "a fact that is a list": ("UPDATE fact SET value = '[1]'", analyse),
    "parameters that are no JSON": ("UPDATE point SET params = 'x'", analyse),
    "parameters that are a list": ("UPDATE point SET params = '[1]'", analyse),
    "settings that are no JSON": ("UPDATE environment SET settings = ''", analyse),
    "a study that is no JSON": ("UPDATE campaign_record SET resolved = '{'", analyse),
    "a study of nothing": ("UPDATE campaign_record SET resolved = '{}'", analyse),
    "a study that is a list": ("UPDATE campaign_record SET resolved = '[]'", study),
    "a state that nobody knows": ("UPDATE campaign_record SET state = 'odd'", study),
    "slots of no points": ("UPDATE slot SET points = '3'", study),
    "a slot of no JSON": ("UPDATE slot SET points = '['", study),
    "a status that nobody knows": ("UPDATE trial SET status = 'odd'", analyse),
    "a figure that is a word": ("UPDATE measurement SET value = 'fast'", analyse),
    "a figure that is a word, in an export": ("UPDATE measurement SET value = 'fast'", to_parquet),
    "a figure beyond all": ("UPDATE measurement SET value = 9e999", analyse),
    "a time that is a word": ("UPDATE boot SET t0 = 'noon'", analyse),
    "a time beyond all": ("UPDATE boot SET t1 = 9e999", analyse),
    "a duration that is a word": ("UPDATE trial SET duration_s = 'long'", analyse),
    "a missing view": ("DROP VIEW trials", analyse),
}


@pytest.mark.parametrize("what", EDITS)
def test_content_that_primetime_never_wrote(path: Path, what: str) -> None:
    sql, ask = EDITS[what]
    edit(path, sql)
    with pytest.raises(UserError, match="is damaged") as refused:
        ask(path)
    assert refused.value.hint


def test_a_mistake_of_ours_is_still_one(path: Path) -> None:
    with CampaignFile.open(path, write=True) as file:
        with pytest.raises(sqlite3.OperationalError, match="no such column"):
            file.rows("SELECT absent FROM trials")
        with pytest.raises(sqlite3.OperationalError, match="syntax error"), file._transaction() as sql:
            sql.execute("UPDATED")
        with pytest.raises(sqlite3.IntegrityError), file._transaction() as sql:
            sql.execute("UPDATE trial SET status = NULL")


@pytest.mark.parametrize("room", [0, 8 * PAGE])
def test_a_full_disk_is_told_and_leaves_the_campaign_whole(path: Path, room: int) -> None:
    with CampaignFile.open(path, write=True) as file:
        facts = len(file.facts())
        with (
            no_file_over(path.stat().st_size + room),
            pytest.raises(UserError, match=r"cannot be written: ") as refused,
        ):
            file.add_facts(Fact(f"long.{number}", "x" * PAGE) for number in range(2000))
        assert f"primetime resume {path}" in refused.value.hint
        assert len(file.facts()) == facts
        file.set_state(CampaignState.WIDTH)  # there is room again
        assert file.state() is CampaignState.WIDTH


def test_a_database_that_may_not_grow_says_why(path: Path) -> None:
    with CampaignFile.open(path, write=True) as file:
        file.rows(f"PRAGMA max_page_count = {path.stat().st_size // PAGE}")
        with pytest.raises(UserError, match="disk is full") as refused:
            file.add_facts(Fact(f"long.{number}", "x" * PAGE) for number in range(100))
        assert refused.value.hint.startswith("make room")
