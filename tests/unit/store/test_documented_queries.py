"""Every query of docs/how-we-measure.md runs on a campaign file, so that a sceptic can trust the page."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from made_campaign import Making, make_campaign

PAGE = Path(__file__).parents[3] / "docs" / "how-we-measure.md"
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_there_are_queries() -> None:
    assert len(QUERIES) >= 11


@pytest.mark.parametrize("query", QUERIES)
def test_query_runs(tmp_path: Path, query: str) -> None:
    path = make_campaign(tmp_path / "made.sqlite", Making())
    with sqlite3.connect(path) as sql:
        assert sql.execute(query).description
