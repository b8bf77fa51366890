"""Every query of the docs runs on a campaign file, so that a sceptic can trust the pages."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from made_campaign import Making, make_campaign

DOCS = Path(__file__).parents[3] / "docs"
PAGES = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("how-we-measure.md", "fleet.md"))
QUERIES = re.findall(r"```sql\n(.*?)```", PAGES, re.DOTALL)


def test_there_are_queries() -> None:
    assert len(QUERIES) >= 12


@pytest.mark.parametrize("query", QUERIES)
def test_query_runs(tmp_path: Path, query: str) -> None:
    path = make_campaign(tmp_path / "made.sqlite", Making())
    with sqlite3.connect(path) as sql:
        assert sql.execute(query).description
