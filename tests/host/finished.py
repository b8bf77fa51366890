"""What a campaign on this machine has finished: what kills and lost connections must leave as it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

Row = tuple[object, ...]


def done_trials(campaign: Path | None) -> list[Row]:
    """Trials that ended well, with their figures: block, environment, point, start, trial, boot, metric, value."""
    if campaign is None or not campaign.exists():
        return []
    with sqlite3.connect(f"file:{campaign}?mode=ro", uri=True, timeout=30) as sql:
        try:
            return sql.execute(
                "SELECT t.block, t.environment, t.point, t.started_at, t.trial, t.boot, m.metric, m.value "
                "FROM trials t JOIN measurements m USING (trial) WHERE t.status = 'done' ORDER BY t.trial, m.metric"
            ).fetchall()
        except sqlite3.OperationalError:
            return []  # its schema is being written


def trials(campaign: Path | None) -> set[Row]:
    """The trials alone: block, environment, point, start."""
    return {row[:4] for row in done_trials(campaign)}
