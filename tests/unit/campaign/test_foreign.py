"""Foreign results: which file is what, what its output says of itself, and what the rules then say."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from full_disk import no_file_over

from primetime.analysis import Analysis, analyse
from primetime.analysis.checks.tools import fsync_fault
from primetime.campaign.foreign import Foreign, import_campaign
from primetime.campaign.foreign_map import place_files
from primetime.campaign.foreign_tools import fio_size, read_run
from primetime.campaign.study_file import load_study
from primetime.cli import main
from primetime.errors import TrialFailed, UserError
from primetime.model import Verdict
from primetime.store import CampaignFile

RECORDED = Path(__file__).parents[2] / "recorded"
REPOSITORY = Path(__file__).parents[3]
NSDI = Path(os.environ.get("PRIMETIME_NSDI2020", REPOSITORY.parent / "shared/data/nsdi2020"))
PATTERN = "fio-{environment}-rand-{rw}-{bs}*.json"
needs_nsdi = pytest.mark.skipif(
    not NSDI.is_dir(), reason=f"the files of the Firecracker paper are not there: {NSDI} (PRIMETIME_NSDI2020)"
)


def fio_text(rate: float = 50e6, **changes: object) -> str:
    """A small fio result, as fio 3.39 writes one, with options changed."""
    options = {"rw": "randread", "bs": "4k", "direct": "1", "iodepth": "1", "ioengine": "psync", "runtime": "2"}
    options |= {name: str(value) for name, value in changes.items() if name != "version"}
    side = {"total_ios": 1000, "io_bytes": round(rate * 2), "runtime": 2000, "clat_ns": {"mean": 80_000.0}}
    nothing = {"total_ios": 0, "io_bytes": 0, "runtime": 0, "clat_ns": {"mean": 0.0}}
    writes = "write" in options["rw"]
    job = {
        "error": 0, "elapsed": 3, "job options": options,
        "read": nothing if writes else side, "write": side if writes else nothing,
        "sync": {"total_ios": 1000 // int(options.get("fsync", 1000)), "lat_ns": {"mean": 57.0}},
    }  # fmt: skip
    return json.dumps({"fio version": changes.get("version", "fio-3.39"), "timestamp": 1581248881, "jobs": [job]})


def imported(directory: Path, files: Mapping[str, str], pattern: str, baseline: str = "") -> Analysis:
    """Import made files."""
    for name, text in files.items():
        (directory / name).write_text(text)
    path = directory / "foreign.sqlite"
    import_campaign(Foreign("fio", [directory / name for name in files], pattern, baseline), path)
    return analyse(path)


def test_files_are_placed_by_their_names(tmp_path: Path) -> None:
    names = [
        "fio-fc-rand-read-4k-qd1.json",
        "fio-fc-rand-read-4k.json",
        "fio-qemu-microvm-rand-read-4k.json",
        "README.md",
    ]
    for name in names:
        (tmp_path / name).touch()
    placed, others = place_files([tmp_path], PATTERN)
    assert [(one.environment, one.point) for one in placed] == [
        ("fc", "fio-rand-read-4k"),
        ("fc", "fio-rand-read-4k-qd1"),
        ("qemu-microvm", "fio-rand-read-4k"),
    ]
    assert [path.name for path in others] == ["README.md"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("fio-*.json", "does not say where the environment stands"),
        ("netperf-{environment}.txt", "no file fits"),
        ("{environment}-*.json", "are the same cell"),
    ],
)
def test_a_pattern_that_cannot_be(tmp_path: Path, pattern: str, words: str) -> None:
    for name in ("fio-a-1.json", "fio-a-1-x.json"):
        (tmp_path / name).touch()
    (tmp_path / "fio-a-2.json").touch()
    if words == "are the same cell":
        pattern = "fio-{environment}*.json"
        (tmp_path / "fio-a.json").touch()
        (tmp_path / "sub").mkdir()
        shutil.copy(tmp_path / "fio-a.json", tmp_path / "sub" / "fio-a.json")
        with pytest.raises(UserError, match=words):
            place_files([tmp_path, tmp_path / "sub"], pattern)
        return
    with pytest.raises(UserError, match=words):
        place_files([tmp_path], pattern)


def test_a_missing_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        place_files([tmp_path / "nothing.json"], PATTERN)


@pytest.mark.parametrize(("text", "size"), [("4k", 4096), ("128K", 131072), ("1m", 2**20), ("512", 512)])
def test_fios_sizes(text: str, size: int) -> None:
    assert fio_size(text) == size


def test_patterns_are_called_by_one_name_and_reads_are_not_synced() -> None:
    said = fio_text(rw="readwrite", fsync=4).encode()
    assert (read_run("fio", said).params["rw"], read_run("fio", said).params["fsync"]) == ("rw", 4)
    assert read_run("fio", fio_text(rw="randread", fsync=4).encode()).params["fsync"] == 0


def test_what_a_recorded_fio_output_says_of_itself() -> None:
    run = read_run("fio", (RECORDED / "fio-3.39-randwrite-fsync-libaio32.json").read_bytes())
    assert run.told["tool.version"] == "fio-3.39"
    assert (run.params["ioengine"], run.params["iodepth"]) == ("libaio", 32)
    assert run.started_at.endswith("Z")
    names = {one.metric.name for one in run.measurements}
    assert "rate" in names
    assert not names & {"drained_rate", "fsync_mean"}  # nobody drained; libaio's syncs are not believed


def test_what_a_recorded_iperf3_output_says_of_itself() -> None:
    run = read_run("iperf3", (RECORDED / "iperf3-3.18-stream.json").read_bytes())
    assert str(run.told["tool.version"]).startswith("iperf 3.18")
    assert run.params["direction"] == "stream"
    assert run.primary == "throughput"


@pytest.mark.parametrize(("name", "test"), [("rr", "rr"), ("stream", "stream")])
def test_what_a_recorded_netperf_output_says_of_itself(name: str, test: str) -> None:
    run = read_run("netperf", (RECORDED / f"netperf-2.7.1-{name}.txt").read_bytes())
    assert run.params["test"] == test
    assert run.primary == ("transaction_rate" if test == "rr" else "throughput")
    assert run.primary in {one.metric.name for one in run.measurements}


@pytest.mark.parametrize(
    ("tool", "content"), [("fio", b""), ("fio", b'{"jobs": [{"error": 0}]}'), ("iperf3", b"{}"), ("netperf", b"x")]
)
def test_an_output_that_is_none_is_told(tool: str, content: bytes) -> None:
    with pytest.raises(TrialFailed):
        read_run(tool, content)


def test_several_jobs_are_taken_together() -> None:
    document = json.loads(fio_text())
    document["jobs"] *= 4
    run = read_run("fio", json.dumps(document).encode())
    values = {one.metric.name: one.value for one in run.measurements}
    assert values["rate"] == pytest.approx(200e6)
    assert values["latency_mean"] == pytest.approx(80e-6)
    assert run.told["tool.jobs"] == 4


def test_one_run_is_one_boot(tmp_path: Path) -> None:
    analysis = imported(
        tmp_path, {"fio-a-x.json": fio_text(50e6), "fio-b-x.json": fio_text(40e6)}, "fio-{environment}-*.json"
    )
    [one] = [one for one in analysis.comparisons if one.primary]
    assert (one.verdict, one.reason) == (Verdict.NO_VERDICT, "one boot")
    assert (one.value, one.baseline_value) == pytest.approx((40e6, 50e6))
    assert {"foreign", "one-boot"} <= set(one.warnings)


def test_many_runs_may_be_judged(tmp_path: Path) -> None:
    files = {f"fio-a-{run}.json": fio_text(50e6 * (1 + 0.001 * run)) for run in range(1, 13)}
    files |= {f"fio-b-{run}.json": fio_text(40e6 * (1 - 0.001 * run)) for run in range(1, 13)}
    analysis = imported(tmp_path, files, "fio-{environment}-{run}.json")
    [one] = [one for one in analysis.comparisons if one.primary]
    assert (one.verdict, one.blocks) == (Verdict.DIFFERENT, 12)


def test_a_guest_that_beats_its_bare_metal_is_called_what_it_is(tmp_path: Path) -> None:
    written = {"rw": "randwrite", "fsync": 1}
    files = {"fio-metal.json": fio_text(20e6, **written), "fio-vm.json": fio_text(30e6, **written)}
    analysis = imported(tmp_path, files, "fio-{environment}.json", "metal")
    [one] = [one for one in analysis.comparisons if one.primary]
    assert "baseline-beaten" in one.warnings
    assert "writes durably faster than the bare metal it stands on" in one.reason


def test_other_parameters_are_another_workload(tmp_path: Path) -> None:
    files = {"fio-a.json": fio_text(), "fio-b.json": fio_text(iodepth=32, ioengine="libaio")}
    analysis = imported(tmp_path, files, "fio-{environment}.json")
    [one] = [one for one in analysis.comparisons if one.primary]
    assert "tool-differs" in one.warnings
    assert "did not run the same" in one.reason


def test_buffered_writes_without_syncs_are_memorys(tmp_path: Path) -> None:
    files = {f"fio-{label}.json": fio_text(rw="write", direct=0) for label in "ab"}
    analysis = imported(tmp_path, files, "fio-{environment}.json")
    assert "absorbed-writes" in {warning.id for warning in analysis.warnings}


def test_syncs_that_fio_did_not_issue_as_asked(tmp_path: Path) -> None:
    document = json.loads(fio_text(rw="randwrite", fsync=32, ioengine="io_uring", iodepth=32))
    document["jobs"][0]["sync"]["total_ios"] = 244
    files = {"fio-a.json": json.dumps(document), "fio-b.json": json.dumps(document)}
    analysis = imported(tmp_path, files, "fio-{environment}.json")
    [one] = [one for one in analysis.comparisons if one.primary]
    assert "fio synced after 4.1 writes, it was asked to after 32" in one.reason


def test_a_broken_file_is_a_failed_trial(tmp_path: Path) -> None:
    files = {"fio-a-x.json": fio_text(), "fio-b-x.json": fio_text(), "fio-b-y.json": "", "fio-a-y.json": fio_text()}
    analysis = imported(tmp_path, files, "fio-{environment}-*.json")
    assert [one.reason for one in analysis.excluded if one.status == "failed"] == ["fio printed no JSON result"]


@pytest.mark.parametrize(
    ("version", "engine", "depth", "words"),
    [
        ((3, 13), "libaio", 1, "before they are issued"),
        ((3, 30), "libaio", 32, "before they are issued"),
        ((3, 33), "libaio", 32, "an earlier request's stamp"),
        ((3, 40), "libaio", 1, "an earlier request's stamp"),
        ((3, 41), "libaio", 1, ""),
        ((3, 42), "libaio", 32, "overlap"),
        (None, "libaio", 1, "its version is not known"),
        ((3, 33), "io_uring", 32, "overlap"),
        ((3, 13), "psync", 1, ""),
    ],
)
def test_fios_faults_by_version_and_engine(
    version: tuple[int, int] | None, engine: str, depth: int, words: str
) -> None:
    """Domain facts F.1."""
    fault = fsync_fault(version, {"ioengine": engine, "iodepth": depth}, {})
    assert words in fault
    assert bool(fault) == bool(words)


def test_no_sync_is_shorter_than_a_system_call() -> None:
    assert "shorter than a system call" in fsync_fault((3, 42), {"ioengine": "psync"}, {"tool.sync_mean_s": 2e-7})


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label, rate in (("a", 40e6), ("b", 50e6)):
        (tmp_path / f"fio-{label}.json").write_text(fio_text(rate))
    (tmp_path / "notes.txt").write_text("x")
    path = tmp_path / "out.sqlite"
    assert (
        main(["import", "fio", str(tmp_path), "--map", "fio-{environment}.json", "--baseline", "b", "-o", str(path)])
        == 0
    )
    said = capsys.readouterr()
    assert "left out: notes.txt" in said.err
    assert "No verdict on a: one boot" in said.out
    assert path.with_suffix(".html").exists()


@needs_nsdi
def test_the_firecracker_papers_files(tmp_path: Path) -> None:
    path = tmp_path / "nsdi2020.sqlite"
    import_campaign(Foreign("fio", sorted(NSDI.glob("*.json")), PATTERN, "metal"), path)
    analysis = analyse(path)
    primary = {(one.environment, one.point): one for one in analysis.comparisons if one.primary}
    assert len(primary) == 3 * 4
    assert {one.verdict for one in primary.values()} == {Verdict.NO_VERDICT}
    assert all(
        {"foreign", "one-boot", "tool-differs", "limits-unproved"} <= set(one.warnings) for one in primary.values()
    )
    beaten = {cell for cell, one in primary.items() if "baseline-beaten" in one.warnings}
    assert beaten == {("chv", "fio-rand-write-4k-qd1")}
    refused = [warning for warning in analysis.warnings if warning.id == "fsync-untimed"]
    assert len(refused) == 4 * 2
    assert all(float(one.figures["claimed_s"]) < 1e-6 for one in refused if "claimed_s" in one.figures)
    fc = primary["fc", "fio-rand-write-4k"]
    assert fc.value == pytest.approx(366.9e6, rel=1e-3)
    with CampaignFile.open(path, write=False) as file:
        [seen] = file.rows("SELECT count(*) FROM measurements WHERE metric IN ('fsync_mean', 'drained_rate')")
        assert seen[0] == 0


@needs_nsdi
def test_the_report_draws_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nsdi2020.sqlite"
    import_campaign(Foreign("fio", [NSDI], PATTERN, "metal"), path)
    assert main(["report", str(path)]) == 0
    assert "writes durably faster than the bare metal" in " ".join(capsys.readouterr().out.split())
    page = path.with_suffix(".html").read_text()
    assert page.count("<svg") >= 4


def changed(text: str, where: str, value: object) -> bytes:
    """A tool's JSON with one value changed, by its path of keys and places."""
    document = json.loads(text)
    *path, last = [int(key) if key.isdecimal() else key for key in where.split("/")]
    inner = document
    for key in path:
        inner = inner[key]
    inner[last] = value
    return json.dumps(document).encode()


IPERF3 = (RECORDED / "iperf3-3.18-stream.json").read_text()
NETPERF = (RECORDED / "netperf-2.7.1-rr.txt").read_text()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("jobs/0/job options/runtime", 10),
        ("jobs/0/job options/rw", None),
        ("jobs/0/job options/ioengine", "\ud800"),
        ("jobs/0/job options/iodepth", "9" * 30),
        ("jobs/0/sync", None),
        ("jobs/0/read", []),
        ("jobs/0/read/io_bytes", float("inf")),
        ("jobs/0/read/io_bytes", float("nan")),
        ("jobs/0/read/io_bytes", 10**20),
        ("jobs/0/read/io_bytes", 10**400),
        ("jobs/0/read/clat_ns/mean", float("inf")),
        ("jobs/0/elapsed", float("inf")),
        ("jobs/0", 7),
        ("timestamp", 10**30),
        ("timestamp", float("inf")),
    ],
)
def test_values_of_fio_that_nobody_could_mean(where: str, value: object) -> None:
    with pytest.raises(TrialFailed, match="not understood"):
        read_run("fio", changed(fio_text(), where, value))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("end/sum_sent", 3),
        ("end/sum_received", [1]),
        ("start/test_start/duration", float("inf")),
        ("start/timestamp/timesecs", 10**30),
        ("start", "x"),
    ],
)
def test_values_of_iperf3_that_nobody_could_mean(where: str, value: object) -> None:
    with pytest.raises(TrialFailed, match="not understood"):
        read_run("iperf3", changed(IPERF3, where, value))


@pytest.mark.parametrize("key", ["ELAPSED_TIME", "THROUGHPUT", "MEAN_LATENCY"])
def test_values_of_netperf_that_nobody_could_mean(key: str) -> None:
    said = "\n".join(f"{key}=inf" if line.startswith(f"{key}=") else line for line in NETPERF.splitlines())
    with pytest.raises(TrialFailed, match="not understood"):
        read_run("netperf", said.encode())


def test_nested_beyond_all_is_not_understood() -> None:
    with pytest.raises(TrialFailed):
        read_run("fio", b'{"jobs": ' + b"[" * 100_000)


def test_a_broken_value_is_a_failed_trial_of_an_import(tmp_path: Path) -> None:
    broken = changed(fio_text(), "jobs/0/read/io_bytes", float("inf")).decode()
    files = {"fio-a-x.json": fio_text(), "fio-b-x.json": fio_text(), "fio-b-y.json": broken, "fio-a-y.json": fio_text()}
    analysis = imported(tmp_path, files, "fio-{environment}-*.json")
    [reason] = [one.reason for one in analysis.excluded if one.status == "failed"]
    assert "fio's output is not understood" in reason


def test_an_import_without_room_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "fio-a.json").write_text(fio_text())
    path = tmp_path / "out.sqlite"
    CampaignFile.create(path, load_study("quick"), 1, "x").close()
    room = path.stat().st_size  # of a campaign's tables
    path.unlink()
    # what is not compressed any further makes the file longer than that
    files = [tmp_path / f"fio-{label}.json" for label in "abcdefgh"]
    for file in files:
        file.write_text(json.dumps({**json.loads(fio_text()), "noise": os.urandom(40_000).hex()}))
    with no_file_over(room), pytest.raises(UserError, match="cannot be written") as refused:
        import_campaign(Foreign("fio", files, "fio-{environment}.json"), path)
    assert "resume" not in refused.value.hint
    assert list(tmp_path.glob("out*")) == []


def test_an_import_never_takes_the_place_of_a_campaign(tmp_path: Path) -> None:
    (tmp_path / "fio-a.json").write_text(fio_text())
    path = tmp_path / "out.sqlite"
    path.write_text("something else")
    with pytest.raises(UserError, match="exists already"):
        import_campaign(Foreign("fio", [tmp_path / "fio-a.json"], "fio-{environment}.json"), path)
    assert path.read_text() == "something else"


def test_names_that_are_no_text_or_too_long(tmp_path: Path) -> None:
    odd = tmp_path / "fio-a-\udcff.json"
    odd.write_text(fio_text())
    with pytest.raises(UserError, match="is not UTF-8"):
        place_files([odd], "fio-{environment}-*.json")
    with pytest.raises(UserError, match="is not UTF-8"):
        place_files([tmp_path], "fio-{environment}-\udcff.json")
    with pytest.raises(UserError, match="file name too long"):
        place_files([tmp_path / ("x" * 300)], "fio-{environment}-*.json")
