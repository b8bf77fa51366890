"""The campaign file: the study, the plan with its seed, the facts, every trial, series and raw output, in one file."""

from __future__ import annotations

import json
import math
import uuid
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from primetime import __version__
from primetime.errors import UserError
from primetime.model import (
    Block,
    BootStatus,
    CampaignState,
    EnvironmentSpec,
    Fact,
    Phase,
    Point,
    SeriesChunk,
    Study,
    TrialStatus,
    Usability,
)
from primetime.store.database import create_database, open_database
from primetime.store.query import RAW_ENCODING, CampaignReading
from primetime.store.records import ClockRelation, TrialResult
from primetime.store.resolved import plain, study_to_json
from primetime.store.series import encode

# A file of format 1 holds each value once: there one that comes back moves to the end.
ADD_FACT = """
    INSERT OR REPLACE INTO fact (scope, scope_id, name, value) SELECT ?, ?, ?, ? WHERE ? IS NOT
    (SELECT value FROM fact WHERE scope = ? AND scope_id = ? AND name = ? ORDER BY id DESC LIMIT 1)"""


class CampaignFile(CampaignReading):
    """A campaign file that is open; every method that writes is one transaction, committed at once."""

    @classmethod
    def create(cls, path: Path, study: Study, seed: int, device: str) -> Self:
        """Begin a campaign in a new file. UserError when the file exists or cannot be written."""
        require_seed(seed)
        record = (
            *(str(uuid.uuid4()), study.name, device, study.text, study_to_json(study), seed),
            *(CampaignState.RUNNING, _now(), __version__, int(study.quick), int(study.smoke), study.baseline),
        )
        return cls(path, create_database(path, record))

    @classmethod
    def open(cls, path: Path, *, write: bool) -> Self:
        """Open an existing campaign. UserError when it is missing, foreign, newer, damaged or not permitted."""
        return cls(path, open_database(path, write=write))

    def set_state(self, state: CampaignState) -> None:
        """Note that the campaign runs, or why it stopped."""
        with self._transaction() as sql:
            sql.execute("UPDATE campaign_record SET state = ?", (state,))

    def add_facts(self, facts: Iterable[Fact]) -> None:
        """Append facts; one whose newest value is the same is kept as it is. What changes back stands there again."""
        keyed = [((fact.scope, fact.scope_id, fact.name), json.dumps(fact.value)) for fact in facts]
        with self._transaction() as sql:
            sql.executemany(ADD_FACT, [(*key, value, value, *key) for key, value in keyed])

    def add_environment(self, spec: EnvironmentSpec, printed_name: str, usability: Usability) -> None:
        """Note an environment and what the survey said of it; again on resume replaces what it said."""
        row = (
            *(spec.label, spec.kind, _json(spec.settings), printed_name),
            *(usability.state, usability.reason, usability.remedy, int(usability.emulated), _json(usability.versions)),
        )
        with self._transaction() as sql:
            sql.execute(
                """INSERT INTO environment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
                   kind = excluded.kind, settings = excluded.settings, printed_name = excluded.printed_name,
                   usable = excluded.usable, reason = excluded.reason, remedy = excluded.remedy,
                   emulated = excluded.emulated, versions = excluded.versions""",
                row,
            )

    def add_points(self, points: Iterable[tuple[Point, str]]) -> None:
        """Note points, each with its primary metric, the one that verdicts are about; those that are there stay."""
        rows = [(one.name, one.workload, _json(one.params), one.group, primary) for one, primary in points]
        with self._transaction() as sql:
            sql.executemany("INSERT OR IGNORE INTO point VALUES (?, ?, ?, ?, ?)", rows)

    def plan_block(self, block: Block) -> None:
        """Write a block's slots and one planned trial per slot and point."""
        with self._transaction() as sql:
            for slot in block.slots:
                row = (slot.block, slot.ord, slot.environment, slot.role, slot.group, json.dumps(slot.points))
                added = sql.execute(
                    "INSERT INTO slot (block, ord, environment, role, point_group, points) VALUES (?, ?, ?, ?, ?, ?)",
                    row,
                )
                trials = [(added.lastrowid, point, ord_, TrialStatus.PLANNED) for ord_, point in enumerate(slot.points)]
                sql.executemany("INSERT INTO trial (slot, point, ord, status, reason) VALUES (?, ?, ?, ?, '')", trials)

    def begin_boot(self, slot_id: int, t0: float, started_at: str | None = None) -> int:
        """Note that an environment starts for this slot (`t0`: CLOCK_MONOTONIC, seconds); return the boot's id.

        `started_at`: of a boot that was long ago, in UTC, "" when that is not known; None means now.
        """
        with self._transaction() as sql:
            added = sql.execute(
                """INSERT INTO boot (slot, attempt, status, reason, t0, started_at) VALUES
                   (?1, (SELECT count(*) + 1 FROM boot WHERE slot = ?1), ?2, '', ?3, ?4)""",
                (slot_id, BootStatus.RUNNING, t0, _now() if started_at is None else started_at),
            )
        return int(added.lastrowid or 0)

    def end_boot(self, boot: int, status: BootStatus, reason: str, t1: float) -> None:
        """Note how a boot ended."""
        with self._transaction() as sql:
            sql.execute("UPDATE boot SET status = ?, reason = ?, t1 = ? WHERE boot = ?", (status, reason, t1, boot))

    def begin_trial(self, trial_id: int, boot: int, started_at: str | None = None) -> None:
        """Note that a planned trial runs in `boot`: now, or since `started_at`."""
        with self._transaction() as sql:
            changed = sql.execute(
                "UPDATE trial SET boot = ?, status = ?, started_at = ? WHERE trial = ? AND status = ?",
                (
                    boot,
                    TrialStatus.RUNNING,
                    _now() if started_at is None else started_at,
                    trial_id,
                    TrialStatus.PLANNED,
                ),
            )
            if changed.rowcount != 1:
                raise ValueError(f"trial {trial_id} is not planned")

    def finish_trial(self, trial_id: int, result: TrialResult) -> None:
        """Store what a running (or, skipped in time, planned) trial gave: status, figures and raw output at once."""
        for one in result.measurements:
            if not math.isfinite(one.value):
                raise ValueError(f"trial {trial_id}: {one.metric.name} is {one.value}, not a figure")
        measured = [
            (trial_id, one.metric.name, one.value, one.metric.unit, one.metric.direction, one.metric.kind)
            for one in result.measurements
        ]
        with self._transaction() as sql:
            changed = sql.execute(
                """UPDATE trial SET status = ?, reason = ?, duration_s = ?
                   WHERE trial = ? AND status IN ('planned', 'running')""",
                (result.status, result.reason, result.duration_s, trial_id),
            )
            if changed.rowcount != 1:
                raise ValueError(f"trial {trial_id} has ended already")
            sql.executemany("INSERT INTO measurement VALUES (?, ?, ?, ?, ?, ?)", measured)
            packed = [(trial_id, *row) for row in _packed(result.raw)]
            sql.executemany("INSERT INTO raw_output (trial, name, encoding, content) VALUES (?, ?, ?, ?)", packed)

    def reopen(self, trial_id: int, reason: str) -> None:
        """Fail a trial for a reason that is not its own (its boot died) and plan the same cell once more."""
        with self._transaction() as sql:
            changed = sql.execute(
                "UPDATE trial SET status = ?, reason = ? WHERE trial = ? AND status IN ('running', 'failed')",
                (TrialStatus.FAILED, reason, trial_id),
            )
            if changed.rowcount != 1:
                raise ValueError(f"trial {trial_id} neither runs nor failed")
            sql.execute(
                """INSERT INTO trial (slot, point, ord, status, reason)
                   SELECT slot, point, ord, ?, '' FROM trial WHERE trial = ?""",
                (TrialStatus.PLANNED, trial_id),
            )

    def interrupted(self) -> list[int]:
        """Put in order what a killed run left: its boots end as interrupted, its running trials are planned again.

        Returns those boots. Call it when a campaign is resumed, before anything else is written.
        """
        reason = "primetime was killed"
        boots = [row["boot"] for row in self.rows("SELECT boot FROM boot WHERE status = ?", BootStatus.RUNNING)]
        for row in self.rows("SELECT trial FROM trial WHERE status = ?", TrialStatus.RUNNING):
            self.reopen(row["trial"], reason)
        with self._transaction() as sql:
            sql.executemany(
                "UPDATE boot SET status = ?, reason = ? WHERE boot = ?",
                [(BootStatus.INTERRUPTED, reason, boot) for boot in boots],
            )
        return boots

    def skip_slot(self, slot_id: int, reason: str) -> None:
        """Skip all planned trials of a slot."""
        self._close_slot(slot_id, TrialStatus.SKIPPED, reason)

    def fail_slot(self, slot_id: int, reason: str) -> None:
        """Fail all planned trials of a slot."""
        self._close_slot(slot_id, TrialStatus.FAILED, reason)

    def add_phases(self, boot: int, phases: Iterable[Phase]) -> None:
        """Append phases of a boot and of its trials."""
        rows = [(boot, phase.trial, phase.name, phase.t0, phase.t1) for phase in phases]
        with self._transaction() as sql:
            sql.executemany("INSERT INTO phase VALUES (?, ?, ?, ?, ?)", rows)

    def add_chunks(self, boot: int, chunks: Iterable[SeriesChunk]) -> None:
        """Append what instruments sampled since the last call; empty chunks leave nothing."""
        encoded = [(chunk.instrument, encode(chunk)) for chunk in chunks if chunk.t]
        rows = [(boot, name, one.clock, one.t0, one.channels, one.base, one.samples) for name, one in encoded]
        with self._transaction() as sql:
            sql.executemany(
                """INSERT INTO series_chunk (boot, instrument, clock, t0, channels, base, samples)
                   VALUES (?, ?, ?, ?, ?, ?, ?)""",
                rows,
            )

    def add_clock(self, relation: ClockRelation) -> None:
        """Note how a clock relates to another; a later fit of the same clock replaces it."""
        row = (relation.clock, relation.reference, relation.offset_s, relation.drift_ppm, relation.residual_s)
        with self._transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO clock VALUES (?, ?, ?, ?, ?)", row)

    def add_raw(self, boot: int, raw: Mapping[str, bytes]) -> None:
        """Keep raw output of a boot itself (its console), by name."""
        packed = [(boot, *row) for row in _packed(raw)]
        with self._transaction() as sql:
            sql.executemany("INSERT INTO raw_output (boot, name, encoding, content) VALUES (?, ?, ?, ?)", packed)

    def _close_slot(self, slot_id: int, status: TrialStatus, reason: str) -> None:
        with self._transaction() as sql:
            sql.execute(
                "UPDATE trial SET status = ?, reason = ? WHERE slot = ? AND status = ?",
                (status, reason, slot_id, TrialStatus.PLANNED),
            )


def require_seed(seed: int | None) -> None:
    """UserError for a seed that no campaign file can hold."""
    if seed is not None and not -(2**63) <= seed < 2**63:
        raise UserError(f"the seed {seed} does not fit in 64 bits", "give a smaller --seed")


def _packed(raw: Mapping[str, bytes]) -> list[tuple[str, str, bytes]]:
    return [(name, RAW_ENCODING, zlib.compress(content)) for name, content in raw.items() if content]


def _json(values: Mapping[str, object]) -> str:
    return json.dumps(plain(values), ensure_ascii=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
