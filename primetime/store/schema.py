"""The SQL of a campaign file: tables (singular nouns, ours) and views (documented and kept, docs/campaign-file.md).

Nothing but the views is promised to other programs. A change of a table raises FORMAT_VERSION; a view only grows.
"""

from __future__ import annotations

APPLICATION_ID = 0x7072696D  # "prim": tells a campaign file from any other SQLite file
FORMAT_VERSION = 2

TABLES = """
CREATE TABLE campaign_record (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    uuid TEXT NOT NULL, name TEXT NOT NULL, device TEXT NOT NULL, study TEXT NOT NULL, resolved TEXT NOT NULL,
    seed INTEGER NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL, primetime_version TEXT NOT NULL,
    quick INTEGER NOT NULL, smoke INTEGER NOT NULL, baseline TEXT NOT NULL
);
CREATE TABLE environment (
    environment TEXT PRIMARY KEY, kind TEXT NOT NULL, settings TEXT NOT NULL, printed_name TEXT NOT NULL,
    usable TEXT NOT NULL, reason TEXT NOT NULL, remedy TEXT NOT NULL, emulated INTEGER NOT NULL, versions TEXT NOT NULL
);
CREATE TABLE point (
    point TEXT PRIMARY KEY, workload TEXT NOT NULL, params TEXT NOT NULL, point_group INTEGER NOT NULL,
    primary_metric TEXT NOT NULL
);
CREATE TABLE slot (
    slot INTEGER PRIMARY KEY, block INTEGER NOT NULL, ord INTEGER NOT NULL,
    environment TEXT NOT NULL REFERENCES environment, role TEXT NOT NULL, point_group INTEGER NOT NULL,
    points TEXT NOT NULL, UNIQUE (block, ord)
);
CREATE TABLE boot (
    boot INTEGER PRIMARY KEY, slot INTEGER NOT NULL REFERENCES slot, attempt INTEGER NOT NULL, status TEXT NOT NULL,
    reason TEXT NOT NULL, t0 REAL NOT NULL, t1 REAL, started_at TEXT NOT NULL, UNIQUE (slot, attempt)
);
CREATE TABLE trial (
    trial INTEGER PRIMARY KEY, slot INTEGER NOT NULL REFERENCES slot, point TEXT NOT NULL REFERENCES point,
    ord INTEGER NOT NULL, boot INTEGER REFERENCES boot, status TEXT NOT NULL, reason TEXT NOT NULL,
    started_at TEXT, duration_s REAL
);
CREATE INDEX trial_of_cell ON trial (slot, point);
CREATE INDEX trial_of_boot ON trial (boot);
CREATE TABLE measurement (
    trial INTEGER NOT NULL REFERENCES trial, metric TEXT NOT NULL, value REAL NOT NULL, unit TEXT NOT NULL,
    direction TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (trial, metric)
) WITHOUT ROWID;
CREATE TABLE phase (
    boot INTEGER NOT NULL REFERENCES boot, trial INTEGER REFERENCES trial, phase TEXT NOT NULL,
    t0 REAL NOT NULL, t1 REAL NOT NULL
);
CREATE INDEX phase_of_boot ON phase (boot);
CREATE TABLE fact (
    id INTEGER PRIMARY KEY, scope TEXT NOT NULL, scope_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL
);
CREATE INDEX fact_of ON fact (scope, scope_id, name);
CREATE TABLE clock (
    clock TEXT PRIMARY KEY, reference TEXT NOT NULL, offset_s REAL NOT NULL, drift_ppm REAL NOT NULL,
    residual_s REAL NOT NULL
);
CREATE TABLE raw_output (
    boot INTEGER REFERENCES boot, trial INTEGER REFERENCES trial, name TEXT NOT NULL, encoding TEXT NOT NULL,
    content BLOB NOT NULL
);
CREATE INDEX raw_of_trial ON raw_output (trial);
CREATE TABLE series_chunk (
    id INTEGER PRIMARY KEY, boot INTEGER NOT NULL REFERENCES boot, instrument TEXT NOT NULL, clock TEXT NOT NULL,
    t0 REAL NOT NULL, channels TEXT NOT NULL, base TEXT NOT NULL, samples TEXT NOT NULL
);
CREATE INDEX series_of_boot ON series_chunk (boot, instrument);
"""

VIEWS = """
CREATE VIEW campaign AS SELECT
    uuid AS campaign, name, device, study, seed, state, created_at, primetime_version, quick, smoke, baseline, resolved
    FROM campaign_record;
CREATE VIEW environments AS SELECT environment, kind, settings FROM environment;
CREATE VIEW points AS SELECT point, workload, params, point_group FROM point;
CREATE VIEW boots AS SELECT
    boot.boot, slot.block, slot.ord, slot.environment, slot.role, boot.status, boot.reason, boot.t0, boot.t1
    FROM boot JOIN slot USING (slot);
CREATE VIEW trials AS SELECT
    trial.trial, trial.boot, slot.block, slot.environment, point.workload, trial.point, trial.status, trial.reason,
    trial.started_at, trial.duration_s
    FROM trial JOIN slot USING (slot) JOIN point USING (point);
CREATE VIEW measurements AS SELECT trial, metric, value, unit, direction, kind FROM measurement;
CREATE VIEW phases AS SELECT boot, trial, phase, t0, t1 FROM phase;
CREATE VIEW facts AS SELECT scope, scope_id, name, json_extract(value, '$') AS value FROM fact;
CREATE VIEW clocks AS SELECT clock, reference, offset_s, drift_ppm, residual_s FROM clock;
CREATE VIEW raw AS SELECT
    trial, CASE WHEN trial IS NULL THEN 'boot-' || boot || '/' || name ELSE name END AS name, encoding, content
    FROM raw_output;
CREATE VIEW series_points AS SELECT
    chunk.boot, chunk.instrument,
    json_extract(chunk.channels, '$[' || (cell.key - 1) || '][0]') AS channel,
    json_extract(chunk.channels, '$[' || (cell.key - 1) || '][1]') AS unit,
    chunk.clock,
    chunk.t0 + json_extract(sample.value, '$[0]') AS t,
    json_extract(chunk.base, '$[' || (cell.key - 1) || ']') + cell.value AS value
    FROM series_chunk AS chunk, json_each(chunk.samples) AS sample, json_each(sample.value) AS cell
    WHERE cell.key > 0 AND cell.type <> 'null';
"""

VIEW_NAMES = (
    "campaign",
    "environments",
    "points",
    "boots",
    "trials",
    "measurements",
    "series_points",
    "clocks",
    "phases",
    "facts",
    "raw",
)
