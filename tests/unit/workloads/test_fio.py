"""fio: argv that measures what the study says, and parsing of what fio 3.39 really printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from primetime.errors import TrialFailed, UserError
from primetime.model import Point, Recipe, Scalar, Site, StepOutput, TrialData
from primetime.model.patterns import WRITING
from primetime.workloads import workload
from primetime.workloads.fio import PATTERNS, only_job

RECORDED = Path(__file__).parents[2] / "recorded"
SITE = Site("/data", 512, "")


def point(**given: object) -> Point:
    return Point("p", "fio", workload("fio").check("p", given))


def recipe(site: Site = SITE, **given: object) -> Recipe:
    return workload("fio").recipe(point(**given), site)


def parsed(recording: str | bytes, drain_s: float = 0.0, **given: object) -> dict[str, float]:
    stdout = recording if isinstance(recording, bytes) else (RECORDED / recording).read_bytes()
    output = StepOutput("fio.json", ("fio",), 0, stdout, b"", 0.0, 1.0)
    found = workload("fio").parse(point(**given), TrialData((output,), 0.0, 1.0, drain_s))
    return {one.metric.name: one.value for one in found}


def test_write_point_gives_rate_latency_and_fsync() -> None:
    found = parsed("fio-3.39-randwrite-fsync-psync.json", rw="randwrite", fsync=1, direct=True)
    assert found["rate"] == pytest.approx(30273536 / 1.001)
    assert found["iops"] == pytest.approx(7391 / 1.001)
    assert found["writes_per_sync"] == pytest.approx(7391 / 7390)
    assert found["fsync_mean"] == pytest.approx(70.909763735e-6)
    assert found["latency_p99"] == pytest.approx(82432e-9)


def test_drained_rate_counts_the_drain() -> None:
    found = parsed("fio-3.39-randwrite-fsync-psync.json", rw="randwrite", fsync=1, drain_s=1.001)
    assert found["drained_rate"] == pytest.approx(found["rate"] / 2)


def test_read_point_has_no_drained_rate_and_no_fsync() -> None:
    found = parsed("fio-3.39-randread.json", rw="randread")
    assert "drained_rate" not in found
    assert "fsync_mean" not in found
    assert found["rate"] > 0


def test_fsync_latency_of_a_deep_queue_is_not_believed() -> None:
    recording = "fio-3.39-randwrite-fsync-libaio32.json"
    found = parsed(recording, rw="randwrite", fsync=32, iodepth=32, ioengine="libaio", direct=True)
    assert "fsync_mean" not in found
    assert 31 < found["writes_per_sync"] < 33


def test_mixed_point_sums_both_directions() -> None:
    found = parsed("fio-3.39-randrw-rate.json", rw="randrw", rate="1MB")
    assert found["rate"] == pytest.approx(1e6, rel=0.1)
    assert found["work_bytes"] == found["iops"] * found["tool_duration"] * 16384
    assert found["drained_rate"] == found["rate"]


def test_what_was_written_is_told_from_what_was_read() -> None:
    mixed = parsed("fio-3.39-randrw-rate.json", rw="randrw", rate="1MB")
    assert mixed["written_bytes"] == 507904 < mixed["work_bytes"]
    written = parsed("fio-3.39-randwrite-fsync-psync.json", rw="randwrite", fsync=1)
    assert written["written_bytes"] == written["work_bytes"]
    assert "written_bytes" not in parsed("fio-3.39-randread.json", rw="randread")


@pytest.mark.parametrize(("rw", "syncs"), [("read", 0), ("randread", 0), ("randwrite", 8), ("randrw", 8)])
def test_only_what_writes_is_synced(rw: str, syncs: int) -> None:
    assert point(rw=rw, fsync=8).params["fsync"] == syncs
    assert ("--fsync=8" in recipe(rw=rw, fsync=8).run[0].argv) == bool(syncs)


def test_missing_file_fails_the_trial_and_is_not_made() -> None:
    with pytest.raises(TrialFailed, match="did no I/O"):
        parsed("fio-3.39-no-file.json", rw="randread")
    made = recipe(rw="randread")
    assert "--allow_file_create=0" in made.run[0].argv
    assert "--allow_file_create=0" not in made.layout[0].argv


def test_fio_error_fails_the_trial() -> None:
    with pytest.raises(TrialFailed, match="error 22: Invalid argument"):
        parsed("fio-3.39-direct-256B-error.json", rw="randwrite", bs="256B", direct=True)


@pytest.mark.parametrize(
    ("recording", "stderr", "words"),
    [
        ("fio-3.39-direct-256B-error.json", b"", "first direct IO errored"),
        (
            "fio-3.39-no-file.json",
            b"fio: file creation disallowed by allow_file_create=0\n",
            "file creation disallowed",
        ),
        (None, b"exec: fio: not found\n", "exec: fio: not found"),
        (None, b"", ""),
    ],
)
def test_complaint_is_fios_own_words_and_not_the_end_of_its_json(
    recording: str | None, stderr: bytes, words: str
) -> None:
    stdout = (RECORDED / recording).read_bytes() if recording else b""
    said = workload("fio").complaint(stdout, stderr)
    assert words in said
    assert "\n" not in said


@pytest.mark.parametrize("stdout", [b"", b"fio: command not found", b'{"jobs": []}', b"{ broken"])
def test_no_result_fails_the_trial(stdout: bytes) -> None:
    with pytest.raises(TrialFailed, match="no JSON result"):
        only_job(stdout)


def test_last_of_several_documents_counts() -> None:
    first, last = b'{"jobs": [{"error": 0, "n": 1}]}', b'{"jobs": [{"error": 0, "n": 2}]}'
    assert only_job(b"fio: a warning {with a brace}\n" + first + b"\n" + last)["n"] == 2


def test_earlier_document_does_not_stand_in_for_one_that_is_cut_off() -> None:
    with pytest.raises(TrialFailed, match="no JSON result"):
        only_job(b'{"jobs": [{"error": 0}]}\n{"jobs": [')


@pytest.mark.parametrize("job", [b'"job"', b'{"error": 0}', b'{"error": 0, "read": {}}', b'{"error": "none"}'])
def test_unknown_layout_fails_the_trial(job: bytes) -> None:
    with pytest.raises(TrialFailed, match="not understood"):
        parsed(b'{"jobs": [' + job + b"]}")


@for_all(st.integers(0, 2**30))
def test_output_cut_off_anywhere_fails_the_trial(cut: int) -> None:
    whole = (RECORDED / "fio-3.39-randread.json").read_bytes().rstrip()
    with pytest.raises(TrialFailed):
        parsed(whole[: cut % len(whole)])


@for_all(st.binary())
def test_any_output_gives_figures_or_fails_the_trial(stdout: bytes) -> None:
    with pytest.raises(TrialFailed):
        parsed(stdout)


def test_layout_is_shared_by_points_of_one_size_and_never_preallocated() -> None:
    read, write = recipe(rw="randread", size="64MiB"), recipe(rw="randwrite", size="64MiB")
    assert read.layout_key == write.layout_key
    assert read.layout_bytes == 64 * 2**20
    for step in (*read.run, *read.layout):
        assert "--fallocate=none" in step.argv
    assert "--end_fsync=1" in read.layout[0].argv


def test_window_of_a_write_ends_with_a_drain() -> None:
    assert recipe(rw="randwrite").writes
    assert recipe(rw="rw").writes
    assert not recipe(rw="randread").writes


def test_smoke_takes_a_second() -> None:
    made = recipe(Site("/data", 512, "", smoke=True), rw="randread", size="1GiB", runtime="60s", ramp="5s")
    assert made.duration_s == 1.0
    assert made.layout_bytes == 16 * 2**20
    assert {"--runtime=1000ms", "--ramp_time=0ms"} <= set(made.run[0].argv)


def test_smoke_file_holds_at_least_one_request() -> None:
    made = recipe(Site("/data", 512, "", smoke=True), rw="read", size="64MiB", bs="32MiB")
    assert made.layout_bytes == 32 * 2**20


@pytest.mark.parametrize(("runtime", "option"), [("1.5s", "--runtime=1500ms"), ("2 min", "--runtime=120000ms")])
def test_fractions_of_a_second_reach_fio(runtime: str, option: str) -> None:
    assert option in recipe(runtime=runtime).run[0].argv


@pytest.mark.parametrize(
    ("rw", "option"), [("read", "--rate=1000001"), ("randwrite", "--rate=1000001"), ("rw", "--rate=500001,500001")]
)
def test_rate_is_of_both_directions_together(rw: str, option: str) -> None:
    assert option in recipe(rw=rw, rate=1_000_001).run[0].argv


@for_all(
    rw=st.sampled_from(PATTERNS),
    size=st.integers(2**20, 2**40),
    bs=st.integers(256, 2**20),
    smoke=st.booleans(),
    fsync=st.integers(0, 100),
    rate=st.integers(0, 10**9),
)
def test_recipe_of_every_point_is_sound(rw: str, smoke: bool, **numbers: int) -> None:
    made = recipe(Site("/data", 512, "", smoke=smoke), rw=rw, **numbers)
    size = f"--size={made.layout_bytes}"
    assert size in made.run[0].argv
    assert size in made.layout[0].argv
    assert made.writes == (rw in WRITING)
    assert (made.bytes_written > 0) <= made.writes
    assert "--rate=0" not in " ".join(made.run[0].argv)
    assert not any(" " in word for step in (*made.run, *made.warm, *made.layout) for word in step.argv)


def test_direct_below_the_logical_block_is_skipped_with_the_reason() -> None:
    assert "512 B blocks" in workload("fio").skip_reason(point(direct=True, bs="256B"), SITE)
    assert workload("fio").skip_reason(point(direct=False, bs="256B"), SITE) == ""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bss": "4KiB"}, "unknown key 'bss'"),
        ({"bs": "4 potatoes"}, "bs must be a size"),
        ({"bs": "1B"}, "bs must be at least 256"),
        ({"rw": "sideways"}, "rw cannot be 'sideways'"),
        ({"direct": 1}, "direct must be true or false"),
        ({"iodepth": 0}, "iodepth must be at least 1"),
        ({"runtime": 3}, "runtime must be a duration"),
        ({"bs": "2MiB", "size": "1MiB"}, "bs 2MiB is larger than size"),
        ({"iodepth": 4}, "iodepth 4 is impossible with ioengine psync"),
    ],
)
def test_wrong_parameters_name_point_and_key(given: dict[str, Scalar], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        workload("fio").check("my.toml: points[1]", given)
    assert caught.value.message.startswith("my.toml: points[1]: ")
    assert caught.value.hint
