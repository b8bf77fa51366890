"""What other programs may rely on: the views' exact columns, and what stands in them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_campaign import READ, Making, make_campaign, study_of

from primetime.errors import UserError
from primetime.model import Block, Channel, Role, SeriesChunk, Slot, Usability, Usable
from primetime.store import VIEW_NAMES, CampaignFile
from primetime.store.export import FORMATS, export

COLUMNS = {
    "campaign": "campaign name device study seed state created_at primetime_version quick smoke baseline resolved",
    "environments": "environment kind settings",
    "points": "point workload params point_group",
    "boots": "boot block ord environment role status reason t0 t1",
    "trials": "trial boot block environment workload point status reason started_at duration_s",
    "measurements": "trial metric value unit direction kind",
    "series_points": "boot instrument channel unit clock t value",
    "clocks": "clock reference offset_s drift_ppm residual_s",
    "phases": "boot trial phase t0 t1",
    "facts": "scope scope_id name value",
    "raw": "trial name encoding content",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made campaign of two blocks."""
    return make_campaign(tmp_path_factory.mktemp("views") / "made.sqlite", Making(blocks=2))


@pytest.fixture
def file(made: Path) -> Iterator[CampaignFile]:
    """The same, opened read-only."""
    with CampaignFile.open(made, write=False) as opened:
        yield opened


def test_every_view_is_tested() -> None:
    assert set(VIEW_NAMES) == set(COLUMNS)


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_columns_are_kept(file: CampaignFile, view: str) -> None:
    row = file.rows(f"SELECT * FROM {view} LIMIT 1")[0]
    assert row.keys() == COLUMNS[view].split()


def test_settings_and_params_are_json(file: CampaignFile) -> None:
    assert json.loads(file.rows("SELECT settings FROM environments")[0]["settings"]) == {}
    params = file.rows("SELECT params FROM points WHERE point = ?", READ.name)[0]["params"]
    assert json.loads(params) == dict(READ.params)


def test_raw_output_unpacks(file: CampaignFile) -> None:
    found = file.rows("SELECT * FROM raw WHERE trial IS NOT NULL")
    assert {(row["name"], row["encoding"], zlib.decompress(row["content"])) for row in found} == {
        ("fio.json", "zlib", b'{"jobs": []}')
    }
    consoles = [row["name"] for row in file.rows("SELECT name FROM raw WHERE trial IS NULL")]
    assert consoles == [f"boot-{boot}/console" for boot in range(1, len(consoles) + 1)]


def test_facts_are_scalars(file: CampaignFile) -> None:
    value = file.rows("SELECT value FROM facts WHERE name = 'limits.memory_bytes'")[0]["value"]
    assert value == 2**29


def test_a_series_unfolds(file: CampaignFile) -> None:
    rows = [tuple(row) for row in file.rows("SELECT * FROM series_points WHERE boot = 1")]
    t0 = rows[0][5]
    assert rows[0] == (1, "cpu", "busy", "s", "monotonic", t0, 100)
    powers = [row for row in rows if row[2] == "power"]
    assert len(powers) == 4  # the meter was not there yet at the first sample
    assert powers[0] == (1, "cpu", "power", "W", "monotonic", pytest.approx(t0 + 0.1), 3.25)
    assert [row[6] for row in rows if row[2] == "busy"] == [100, 101, 102, 103, 104]


values = st.one_of(
    st.none(), st.integers(-(2**53), 2**53), st.floats(-1e15, 1e15, allow_nan=False, allow_subnormal=False)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(values, values), min_size=1, max_size=15),
    steps=st.lists(st.floats(0.001, 10), min_size=15, max_size=15),
)
def test_any_series_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[float | None, float | None]],
    steps: list[float],
) -> None:
    times = [1e5 + sum(steps[:index]) for index in range(len(rows))]
    channels = (Channel("a", "1", True), Channel("b", "W", False))
    study = study_of(Making())
    with CampaignFile.create(tmp_path_factory.mktemp("series") / "x.sqlite", study, 1, "bench") as file:
        file.add_environment(study.environments[0], "native", Usability("native", Usable.YES))
        file.add_points([(study.points[0], "rate")])
        file.plan_block(Block(1, (Slot(1, 0, "native", Role.MAIN, 0, (READ.name,)),)))
        boot = file.begin_boot(file.open_slots(1)[0].slot_id, 0.0)
        file.add_chunks(boot, [SeriesChunk("x", "monotonic", channels, tuple(times), tuple(rows))])
        found = [(row["channel"], row["t"], row["value"]) for row in file.rows("SELECT * FROM series_points")]
    expected = [
        (name, t, value) for t, row in zip(times, rows, strict=True) for name, value in zip("ab", row, strict=True)
    ]
    present = [one for one in expected if one[2] is not None]
    assert [name for name, _, _ in found] == [name for name, _, _ in present]
    assert [t for _, t, _ in found] == pytest.approx([t for _, t, _ in present], abs=1e-4)
    scale = max((abs(value) for _, _, value in present if value is not None), default=0.0)
    for (_, _, value), (_, _, original) in zip(found, present, strict=True):
        assert value == pytest.approx(original, abs=scale * 1e-15)


def test_a_series_of_whole_numbers_is_exact(tmp_path: Path) -> None:
    big = 2**62
    study = study_of(Making())
    with CampaignFile.create(tmp_path / "x.sqlite", study, 1, "bench") as file:
        file.add_environment(study.environments[0], "native", Usability("native", Usable.YES))
        file.add_points([(study.points[0], "rate")])
        file.plan_block(Block(1, (Slot(1, 0, "native", Role.MAIN, 0, (READ.name,)),)))
        boot = file.begin_boot(file.open_slots(1)[0].slot_id, 0.0)
        chunk = SeriesChunk("ns", "monotonic", (Channel("a", "ns", True),), (0.0, 0.1), ((big,), (big + 1,)))
        file.add_chunks(boot, [chunk, SeriesChunk("empty", "monotonic", (), (), ())])
        assert [row["value"] for row in file.rows("SELECT value FROM series_points")] == [big, big + 1]


def test_a_day_at_10_hz_stays_small(tmp_path: Path) -> None:
    """Four channels at 10 Hz (a counter in jiffies, temperature, frequency, power) over a minute, scaled to a day."""
    minute = 600
    channels = tuple(Channel(name, "1", False) for name in ("jiffies", "temperature", "frequency", "power"))
    rows = tuple(
        (
            4_000_000 + 39 * step,
            48.5 + step % 7 / 10,
            1_500_000_000 if step % 50 else 600_000_000,
            3.1 + step % 90 / 1000,
        )
        for step in range(minute)
    )
    study = study_of(Making())
    with CampaignFile.create(tmp_path / "x.sqlite", study, 1, "bench") as file:
        file.add_environment(study.environments[0], "native", Usability("native", Usable.YES))
        file.add_points([(study.points[0], "rate")])
        file.plan_block(Block(1, (Slot(1, 0, "native", Role.MAIN, 0, (READ.name,)),)))
        boot = file.begin_boot(file.open_slots(1)[0].slot_id, 0.0)
        times = tuple(step / 10 for step in range(minute))
        for _ in range(10):
            file.add_chunks(boot, [SeriesChunk("x", "monotonic", channels, times, rows)])
        per_sample = file.rows("SELECT sum(length(samples)) FROM series_chunk")[0][0] / (10 * minute)
    assert per_sample * 864_000 < 50e6


@pytest.mark.parametrize("format_name", [name for name in FORMATS if name != "parquet"])
def test_export_writes_every_view(made: Path, tmp_path: Path, format_name: str) -> None:
    written = export(made, tmp_path / "out", format_name)
    assert [path.name for path in written] == [f"{view}.{format_name}" for view in VIEW_NAMES]
    content = (tmp_path / "out" / f"trials.{format_name}").read_text()
    if format_name == "json":
        trials = json.loads(content)
        assert list(trials[0]) == COLUMNS["trials"].split()
        assert json.loads((tmp_path / "out" / "raw.json").read_text())[0]["encoding"] == "utf-8"
    else:
        lines = content.splitlines()
        assert lines[0] == COLUMNS["trials"].replace(" ", ",")
        assert len(lines) == 1 + 2 * 4 * 4


def test_export_never_overwrites(made: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(UserError, match="not an empty directory"):
        export(made, tmp_path, "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
