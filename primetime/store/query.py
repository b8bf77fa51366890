"""Reading a campaign file: the runner's questions. Analysis reads the views through `rows`."""

from __future__ import annotations

import json
import math
import sqlite3
import zlib
from statistics import fmean
from typing import Any

from primetime.model import (
    BootStatus,
    CampaignState,
    Fact,
    Point,
    Role,
    Scalar,
    Slot,
    Study,
    TrialStatus,
    talks_to_peer,
)
from primetime.store.database import Database
from primetime.store.records import Counts, OpenSlot
from primetime.store.resolved import study_from_json
from primetime.store.trouble import decoding

RAW_ENCODING = "zlib"
BUSY_BOOTS = """
    SELECT trials.trial, facts.value FROM trials JOIN facts ON facts.scope = 'boot' AND facts.scope_id = trials.boot
    WHERE facts.name = 'settle.busy_fraction' AND trials.status = ? AND facts.value > ?"""
VISITED_TRIALS = """
    SELECT trial, point, value / duration_s AS value FROM trials JOIN measurements USING (trial)
    WHERE metric = 'control_packets' AND status = ? AND duration_s > 0 AND value / duration_s > ?"""
OVER_CONTROL = """
    SELECT value FROM fact WHERE scope = 'campaign' AND name = 'network.peer_over_control' ORDER BY id DESC LIMIT 1"""


class CampaignReading(Database):
    """The questions that runner, watch and analysis ask."""

    def campaign(self) -> dict[str, Any]:
        """Return the one row of the view `campaign`."""
        return dict(self.rows("SELECT * FROM campaign")[0])

    def study(self) -> Study:
        """Return the study as it was resolved when the campaign began."""
        with decoding(self.path):
            return study_from_json(self.campaign()["resolved"])

    def seed(self) -> int:
        """Return the campaign's seed."""
        with decoding(self.path):
            return int(self.campaign()["seed"])

    def state(self) -> CampaignState:
        """Return whether the campaign runs, or why it stopped."""
        with decoding(self.path):
            return CampaignState(self.campaign()["state"])

    def facts(self, scope: str | None = None) -> list[Fact]:
        """Return facts in the order they came; one that changed (after a reboot, say) stands there with each value."""
        found = self.rows("SELECT * FROM fact WHERE ? IS NULL OR scope = ? ORDER BY id", scope, scope)
        with decoding(self.path):
            return [Fact(row["name"], _scalar(row["value"]), row["scope"], row["scope_id"]) for row in found]

    def blocks(self) -> list[int]:
        """Return the indices of the blocks that are planned, in order."""
        return [row["block"] for row in self.rows("SELECT DISTINCT block FROM slot ORDER BY block")]

    def slots(self, block: int) -> int:
        """Return how many slots `block` has."""
        return int(self.rows("SELECT count(*) FROM slot WHERE block = ?", block)[0][0])

    def open_slots(self, block: int) -> list[OpenSlot]:
        """Return the slots of `block` that have planned trials left, in order."""
        found = self.rows("SELECT slot FROM slot WHERE block = ? ORDER BY ord", block)
        slots = (self.open_slot(row["slot"]) for row in found)
        return [slot for slot in slots if slot.remaining_points]

    def open_slot(self, slot_id: int) -> OpenSlot:
        """Return one slot with what is left of it, which may be nothing."""
        row = self.rows("SELECT * FROM slot WHERE slot = ?", slot_id)[0]
        with decoding(self.path):
            slot = _slot(row)
        return OpenSlot(slot_id, slot, self._attempts(slot_id), self._remaining(slot_id))

    def running_trials(self, boot: int) -> list[int]:
        """Return the trials under way in a boot."""
        found = self.rows("SELECT trial FROM trial WHERE boot = ? AND status = ?", boot, TrialStatus.RUNNING)
        return [row["trial"] for row in found]

    def environment_of(self, trial: int) -> str:
        """Return the label of the environment that a trial belongs to."""
        return str(self.rows("SELECT environment FROM trials WHERE trial = ?", trial)[0]["environment"])

    def primary(self, point: str) -> str:
        """Return the name of a point's primary metric."""
        return str(self.rows("SELECT primary_metric FROM point WHERE point = ?", point)[0][0])

    def counts(self) -> Counts:
        """Count cells (slot, place in it): done if any of its trials is, else what became of the last one."""
        cells = self.rows(
            """SELECT CASE WHEN EXISTS (SELECT 1 FROM trial d
                                        WHERE d.slot = t.slot AND d.ord = t.ord AND d.status = 'done')
                      THEN 'done' ELSE t.status END AS became, count(*) AS cells
               FROM trial t
               WHERE t.trial = (SELECT max(trial) FROM trial l WHERE l.slot = t.slot AND l.ord = t.ord)
               GROUP BY became"""
        )
        by = {row["became"]: row["cells"] for row in cells}
        waiting = by.get(TrialStatus.PLANNED, 0) + by.get(TrialStatus.RUNNING, 0)
        return Counts(
            by.get(TrialStatus.DONE, 0), by.get(TrialStatus.FAILED, 0), by.get(TrialStatus.SKIPPED, 0), waiting
        )

    def log_ratios(self, point: str, metric: str, environment: str, baseline: str) -> list[tuple[int, float]]:
        """Return (block, ln y_environment - ln y_baseline) of done trials in main slots, in block order.

        Iterations in one boot count as their mean; trials that a rule written before leaves out do not count.
        """
        of_environment, of_baseline = (self._logs(point, metric, label) for label in (environment, baseline))
        return [
            (block, of_environment[block] - of_baseline[block])
            for block in sorted(of_environment.keys() & of_baseline.keys())
        ]

    def ruled_out(self) -> dict[int, str]:
        """Return the finished trials that a rule of the study leaves out, with the rule: never one made afterwards."""
        rules = self.study().exclude
        found: dict[int, str] = {}
        if "busy" in rules:
            for row in self.rows(BUSY_BOOTS, TrialStatus.DONE, rules["busy"]):
                said = f"{row['value']:.0%} of all CPUs were busy before this boot"
                found[row["trial"]] = f"{said}, more than exclude.busy = {rules['busy']:g}"
        if "packets" in rules:
            own = self.points_over_control()
            visited = self.rows(VISITED_TRIALS, TrialStatus.DONE, rules["packets"])
            for row in (row for row in visited if row["point"] not in own):
                said = f"{row['value']:.0f} packets a second on the control interface"
                found[row["trial"]] = f"{said}, more than exclude.packets = {rules['packets']:g}"
        return found

    def points_over_control(self) -> frozenset[str]:
        """Return the points whose own packets go over the control interface: there no visitor can be told from them."""
        told = self.rows(OVER_CONTROL)
        with decoding(self.path):
            over = bool(told) and json.loads(told[0]["value"])
        if not over:
            return frozenset()
        rows = self.points()
        with decoding(self.path):
            points = [Point(row["point"], row["workload"], json.loads(row["params"])) for row in rows]
        return frozenset(point.name for point in points if talks_to_peer(point))

    def raw(self, trial: int) -> dict[str, bytes]:
        """Return a trial's raw output by name, unpacked."""
        found = self.rows("SELECT name, content FROM raw WHERE trial = ?", trial)
        with decoding(self.path):
            return {row["name"]: zlib.decompress(row["content"]) for row in found}

    def environments(self) -> list[sqlite3.Row]:
        """Return every environment with what the survey said of it, in the order they were added."""
        return self.rows("SELECT * FROM environment ORDER BY rowid")

    def points(self) -> list[sqlite3.Row]:
        """Return every point with its primary metric, in the order they were added."""
        return self.rows("SELECT * FROM point ORDER BY rowid")

    def boots(self) -> list[sqlite3.Row]:
        """Return the view `boots` with slot, point group, attempt and wall-clock start, in the order of starting."""
        return self.rows(
            """SELECT boots.*, boot.slot, slot.point_group, boot.attempt, boot.started_at
               FROM boots JOIN boot USING (boot) JOIN slot USING (slot) ORDER BY boot"""
        )

    def trials(self) -> list[sqlite3.Row]:
        """Return the view `trials` with slot, role and place in it beside it, in the order they were planned."""
        return self.rows(
            """SELECT trials.*, slot.slot, slot.role, trial.ord FROM trials JOIN trial USING (trial)
               JOIN slot ON slot.slot = trial.slot ORDER BY trial"""
        )

    def _logs(self, point: str, metric: str, environment: str) -> dict[int, float]:
        found = self.rows(
            """SELECT trial.trial, slot.block, measurement.value
               FROM measurement JOIN trial USING (trial) JOIN slot USING (slot)
               WHERE trial.point = ? AND measurement.metric = ? AND slot.environment = ? AND slot.role = ?
               AND trial.status = ? AND measurement.value > 0""",
            *(point, metric, environment, Role.MAIN, TrialStatus.DONE),
        )
        ruled_out = self.ruled_out()
        values: dict[int, list[float]] = {}
        for row in found:
            if row["trial"] not in ruled_out:
                values.setdefault(row["block"], []).append(row["value"])
        with decoding(self.path):
            return {block: math.log(fmean(map(figure, those))) for block, those in values.items()}

    def _attempts(self, slot: int) -> int:
        found = self.rows("SELECT count(*) FROM boot WHERE slot = ? AND status <> ?", slot, BootStatus.INTERRUPTED)
        return int(found[0][0])

    def _remaining(self, slot: int) -> tuple[tuple[int, str], ...]:
        found = self.rows(
            "SELECT trial, point FROM trial WHERE slot = ? AND status = ? ORDER BY ord", slot, TrialStatus.PLANNED
        )
        return tuple((row["trial"], row["point"]) for row in found)


def figure(value: float) -> float:
    """Return a figure or a time as it was written. TypeError, ValueError for text, nothing, and what is not finite."""
    if not math.isfinite(value):
        raise ValueError(f"{value} where a figure belongs")
    return value


def _scalar(text: str) -> Scalar | None:
    value = json.loads(text)
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{text} where a plain value belongs")


def _slot(row: sqlite3.Row) -> Slot:
    points = tuple(json.loads(row["points"]))
    return Slot(row["block"], row["ord"], row["environment"], Role(row["role"]), row["point_group"], points)
