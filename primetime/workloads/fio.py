"""fio: sequential and random reads and writes of one file on the volume.

    [[points]]
    workload = "fio"
    rw = ["randread", "randwrite"]   # a list makes one point per value
    bs = "4KiB"
    size = "128MiB"
    direct = true
    fsync = 1                        # after every so many writes; 0: never, as where nothing is written
    runtime = "3s"
    rate = "50%"                     # of what the baseline does there; or bytes per second; 0: as fast as it goes

The file is written once per boot with incompressible data (`fallocate=none`, so it has no holes) and
reused; a trial may not create it, so none can read blocks that were never written. Output format: fio's
HOWTO, json+; fsync latency by domain facts F.1: only a synchronous engine at depth 1 is believed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from primetime.errors import TrialFailed, UserError
from primetime.model import (
    Direction,
    Measurement,
    Metric,
    MetricKind,
    Point,
    Recipe,
    Scalar,
    Site,
    Step,
    TrialData,
    Where,
    only_reads,
    writing,
)
from primetime.model.patterns import MIXED, ONLY_READS, ONLY_WRITES
from primetime.workloads.base import GRACE_S, Kind, Parameter, Workload
from primetime.workloads.pacing import kept_rate, why_unknown
from primetime.workloads.units import size_in_words

PATTERNS = (*ONLY_READS, *ONLY_WRITES, *MIXED)
ONE_AT_A_TIME = ("psync", "sync")
SMOKE_SIZE = 16 * 2**20
LAYOUT_BLOCK = "1m"
SLOWEST_LAYOUT = 2 * 2**20  # bytes per second; for the time-out only
OUTPUT = "fio.json"
LINE_WITH_BRACE = re.compile(r"^\{", re.MULTILINE)

RATE = Metric("rate", "B/s", Direction.HIGHER, MetricKind.RATE)
DRAINED = Metric("drained_rate", "B/s", Direction.HIGHER, MetricKind.RATE)
IOPS = Metric("iops", "1/s", Direction.HIGHER, MetricKind.RATE)
WORK = Metric("work_bytes", "B", Direction.HIGHER, MetricKind.RATE)
WRITTEN = Metric("written_bytes", "B", Direction.HIGHER, MetricKind.RATE)
RUNTIME = Metric("tool_duration", "s", Direction.LOWER, MetricKind.COST)
PER_SYNC = Metric("writes_per_sync", "1", Direction.HIGHER, MetricKind.RATIO)


class Fio(Workload):
    """See the module."""

    name = "fio"
    summary = "file reads and writes by fio"
    parameters = (
        Parameter("rw", Kind.TEXT, "randread", "the access pattern", PATTERNS),
        Parameter("bs", Kind.SIZE, 4096, "bytes per request", least=256),
        Parameter("size", Kind.SIZE, 128 * 2**20, "the file's size", least=2**20),
        Parameter("direct", Kind.BOOL, False, "O_DIRECT: past the page cache"),
        Parameter("fsync", Kind.INT, 0, "fsync after every so many writes; 0: never, as where nothing is written"),
        Parameter("iodepth", Kind.INT, 1, "requests under way at once; above 1 for libaio and io_uring only", least=1),
        Parameter("ioengine", Kind.TEXT, "psync", "how requests are made", (*ONE_AT_A_TIME, "libaio", "io_uring")),
        Parameter("runtime", Kind.DURATION, 10.0, "length of the window", least=0.5),
        Parameter("ramp", Kind.DURATION, 0.0, "time before fio's own figures begin"),
        Parameter(
            "rate",
            Kind.SIZE,
            0,
            'bytes per second to keep to, reads and writes together, or "50%" of the baseline\'s; 0: any',
            share=True,
        ),
    )

    def check(self, where: str, given: Mapping[str, object]) -> dict[str, Scalar]:
        params = super().check(where, given)
        if int(params["bs"]) > int(params["size"]):
            words = f"{where}: bs {size_in_words(int(params['bs']))} is larger than size"
            raise UserError(words, f"the file is {size_in_words(int(params['size']))}: make size larger, or bs smaller")
        if int(params["iodepth"]) > 1 and params["ioengine"] in ONE_AT_A_TIME:
            words = f"{where}: iodepth {params['iodepth']} is impossible with ioengine {params['ioengine']}"
            raise UserError(words, 'set ioengine = "libaio" or "io_uring", which have several requests under way')
        return {**params, "fsync": 0} if only_reads(params) else params  # fio syncs after writes only

    def skip_reason(self, point: Point, site: Site) -> str:
        size = int(point.params["bs"])
        if point.params["direct"] and size % site.logical_block:
            return f"O_DIRECT cannot address {size} B on a device with {site.logical_block} B blocks"
        return why_unknown(point)

    def recipe(self, point: Point, site: Site) -> Recipe:
        params = point.params
        size = min(int(params["size"]), max(SMOKE_SIZE, int(params["bs"]))) if site.smoke else int(params["size"])
        runtime = 1.0 if site.smoke else float(params["runtime"])
        ramp = 0.0 if site.smoke else float(params["ramp"])
        file = f"{site.data_dir}/fio-{size_in_words(size)}"
        run = (*base(file, size), *access(params), *timing(runtime, ramp))
        layout = (*base(file, size), "--rw=write", f"--bs={LAYOUT_BLOCK}", "--end_fsync=1", "--ioengine=psync")
        writes = writing(params)
        return Recipe(
            run=(Step(Where.TARGET, ("fio", *run, "--output-format=json+"), OUTPUT, runtime + ramp + GRACE_S),),
            warm=(Step(Where.TARGET, ("fio", "--version"), "warm", GRACE_S),),
            layout=(Step(Where.TARGET, ("fio", *layout), "layout", size / SLOWEST_LAYOUT + GRACE_S),),
            layout_key=file,
            duration_s=runtime + ramp,
            bytes_written=expected_bytes(params, runtime + ramp) if writes else 0,
            layout_bytes=size,
            writes=writes,
            ramp_s=ramp,
        )

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:
        try:
            return figures(point.params, only_job(data.output(OUTPUT).stdout), data.drain_s)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise TrialFailed(f"fio's result is not understood ({type(error).__name__}: {error})") from None

    def complaint(self, stdout: bytes, stderr: bytes) -> str:
        said = [line for line in (stderr + b"\n" + stdout).decode(errors="replace").splitlines() if is_message(line)]
        return said[0] if said else super().complaint(stdout, stderr)

    def primary(self, point: Point) -> str:  # noqa: ARG002 - the same for every access pattern
        return RATE.name


def figures(params: Mapping[str, Scalar], job: Mapping[str, Any], drain_s: float) -> tuple[Measurement, ...]:
    """Turn a job of fio's JSON into measurements. LookupError, TypeError where it is not as documented."""
    sides = [job[side] for side in ("read", "write") if job[side]["total_ios"]]
    if not sides:
        raise TrialFailed("fio did no I/O")
    total = sum(side["io_bytes"] for side in sides)
    seconds = max(side["runtime"] for side in sides) / 1000.0
    if total <= 0 or seconds <= 0:
        raise TrialFailed("fio reports no bytes or no time")
    found = [
        Measurement(RATE, total / seconds),
        Measurement(IOPS, sum(side["total_ios"] for side in sides) / seconds),
        Measurement(WORK, total),
        Measurement(RUNTIME, seconds),
        *latencies(sides),
    ]
    if writing(params):
        found.append(Measurement(DRAINED, total / (seconds + drain_s)))
        found.append(Measurement(WRITTEN, job["write"]["io_bytes"]))
    return (*found, *sync_figures(params, job))


def is_message(line: str) -> bool:
    """Whether it is a message of fio's: some stand on stdout, before the JSON."""
    return line.startswith("fio: ")


def base(file: str, size: int) -> tuple[str, ...]:
    """The options that every run of fio here has."""
    return (
        "--name=job",
        f"--filename={file}",
        f"--size={size}",
        "--fallocate=none",  # a preallocated file would read as zeros without touching the disk
        "--randrepeat=0",
        "--refill_buffers=1",  # new, incompressible data in every buffer
        # The runner drops all caches before every trial. fio's own way, posix_fadvise, reaches the page cache
        # of some environments and not of others.
        "--invalidate=0",
    )


def timing(runtime: float, ramp: float) -> tuple[str, ...]:
    """Seconds as milliseconds: fio drops the fraction of "1.5s"."""
    return ("--time_based", f"--runtime={round(runtime * 1000)}ms", f"--ramp_time={round(ramp * 1000)}ms")


def access(params: Mapping[str, Scalar]) -> list[str]:
    """The options of a point."""
    options = [
        f"--rw={params['rw']}",
        f"--bs={params['bs']}",
        f"--direct={int(params['direct'])}",
        f"--ioengine={params['ioengine']}",
        f"--iodepth={params['iodepth']}",
        "--group_reporting=1",
        "--allow_file_create=0",  # a file that was not laid out is an error, not written inside the window
    ]
    if params["fsync"]:
        options.append(f"--fsync={params['fsync']}")
    if rate := kept_rate(params):
        half = (rate + 1) // 2  # fio paces each direction by itself; 0 would not pace it
        options.append(f"--rate={half},{half}" if params["rw"] in MIXED else f"--rate={rate}")
    return options


def expected_bytes(params: Mapping[str, Scalar], seconds: float) -> int:
    """A rough upper figure of bytes written, for `plan`: the paced rate, else 200 MB/s, or 20 MB/s with fsync."""
    rate = kept_rate(params) or (20_000_000 if params["fsync"] else 200_000_000)
    return round(rate * seconds * (0.5 if params["rw"] in MIXED else 1.0))


def only_job(stdout: bytes) -> dict[str, Any]:
    """Return the job of the last JSON document in fio's output: warnings may stand before it.

    TrialFailed when there is none, or when fio reports an error.
    """
    documents = json_documents(stdout.decode(errors="replace"))
    document = documents[-1] if documents else None
    if not isinstance(document, dict) or not document.get("jobs"):
        raise TrialFailed("fio printed no JSON result")
    job: dict[str, Any] = document["jobs"][0]
    if job["error"]:
        raise TrialFailed(f"fio reports error {job['error']}: {os.strerror(int(job['error']))}")
    return job


def json_documents(text: str) -> list[Any]:
    """Every JSON object that begins at a line's start; None in the place of one that is cut off or none at all."""
    decoder = json.JSONDecoder()
    found: list[Any] = []
    at = 0
    while (start := LINE_WITH_BRACE.search(text, at)) is not None:
        try:
            document, at = decoder.raw_decode(text, start.start())
        except json.JSONDecodeError:
            document, at = None, start.end()
        found.append(document)
    return found


def latencies(sides: list[dict[str, Any]]) -> list[Measurement]:
    """Completion latency: mean and percentiles of the side with most requests, in seconds."""
    side = max(sides, key=lambda one: int(one["total_ios"]))
    clat = side["clat_ns"]
    named = {"50.000000": "p50", "99.000000": "p99", "99.900000": "p99.9"}
    values = {"mean": clat["mean"]}
    values.update({name: clat["percentile"][key] for key, name in named.items() if key in clat.get("percentile", {})})
    return [
        Measurement(Metric(f"latency_{name}", "s", Direction.LOWER, MetricKind.COST), value / 1e9)
        for name, value in values.items()
        if value > 0
    ]


def sync_figures(params: Mapping[str, Scalar], job: Mapping[str, Any]) -> list[Measurement]:
    """fsync latency, only where fio's accounting of it is right: a synchronous engine at depth 1."""
    syncs = job.get("sync", {}).get("total_ios", 0)
    if not params["fsync"] or not syncs:
        return []
    found = [Measurement(PER_SYNC, job["write"]["total_ios"] / syncs)]
    if params["ioengine"] in ONE_AT_A_TIME and params["iodepth"] == 1:
        metric = Metric("fsync_mean", "s", Direction.LOWER, MetricKind.COST)
        found.append(Measurement(metric, job["sync"]["lat_ns"]["mean"] / 1e9))
    return found
