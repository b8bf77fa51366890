"""What a tool's raw output says by itself: what was run, by which version, and what it gave.

Figures come from the workloads' own parsers. What they cannot know of a foreign run is left out: nobody drained, so
there is no drained rate; several jobs that were not reported as a group have no common percentiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from primetime.errors import TrialFailed
from primetime.model import Measurement, Point, Scalar
from primetime.model.patterns import ONLY_READS
from primetime.workloads import fio, iperf3, netperf
from primetime.workloads.units import parse_duration, parse_size

TOOLS = ("fio", "netperf", "iperf3")
UNKNOWN = "unknown"
NOT_UNDERSTOOD = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)
LARGEST = 2**63  # SQLite's integers end here
DRAINED = fio.DRAINED.name


@dataclass(frozen=True, slots=True)
class ForeignRun:
    """One raw output, read. `told`: what it says of itself beside figures, as facts of the trial; times in seconds."""

    params: Mapping[str, Scalar]
    primary: str
    measurements: tuple[Measurement, ...]
    started_at: str = ""
    duration_s: float | None = None
    told: Mapping[str, Scalar] = field(default_factory=dict)


def read_run(tool: str, content: bytes) -> ForeignRun:
    """Read one raw output. TrialFailed when it is not understood, and when a campaign cannot hold what it says."""
    try:
        return checked({"fio": read_fio, "netperf": read_netperf, "iperf3": read_iperf3}[tool](content))
    except NOT_UNDERSTOOD as error:
        raise TrialFailed(f"{tool}'s output is not understood ({type(error).__name__}: {error})") from None


def checked(run: ForeignRun) -> ForeignRun:
    """Return a run whose figures are finite, whose numbers fit into a campaign and whose words are text.

    ValueError, TypeError, OverflowError for one that has others.
    """
    figures = {one.metric.name: one.value for one in run.measurements}
    for name, value in {**figures, "duration": run.duration_s or 0.0, **run.params, **run.told}.items():
        if isinstance(value, str):
            value.encode()
        elif not isfinite(value) or abs(value) >= LARGEST:
            raise ValueError(f"{name} is {value}")
    return run


def read_fio(content: bytes) -> ForeignRun:
    """fio's JSON, its jobs taken together."""
    fio.only_job(content)  # TrialFailed where there is none, or where the first one failed
    document = fio.json_documents(content.decode(errors="replace"))[-1]
    options = {**document.get("global options", {}), **document["jobs"][0].get("job options", {})}
    params = fio_params(options)
    job = document["jobs"][0] if len(document["jobs"]) == 1 else together(document["jobs"])
    found = tuple(one for one in fio.figures(params, job, 0.0) if one.metric.name != DRAINED)
    told: dict[str, Scalar] = {"tool.version": str(document["fio version"]), "tool.jobs": len(document["jobs"])}
    sync = job.get("sync", {})
    if params["fsync"] and sync.get("total_ios"):
        told["tool.sync_mean_s"] = float(sync["lat_ns"]["mean"]) / 1e9
        told["tool.syncs"] = int(sync["total_ios"])
    return ForeignRun(params, fio.RATE.name, found, utc(document["timestamp"]), float(job["elapsed"]), told)


def fio_params(options: Mapping[str, str]) -> dict[str, Scalar]:
    """Return a point's parameters from fio's job options, with fio's own defaults."""
    depth = int(options.get("iodepth", 1))
    seconds = parse_duration(options.get("runtime", "0") + ("s" if options.get("runtime", "0").isdecimal() else ""))
    pattern = options.get("rw", options.get("readwrite", "read"))
    syncs = int(options.get("fsync", options.get("fdatasync", 0)))
    return {
        "rw": "rw" if pattern == "readwrite" else pattern,
        "bs": fio_size(options.get("bs", options.get("blocksize", "4k"))),
        "direct": options.get("direct", "0") not in ("0", ""),
        "fsync": 0 if pattern in ONLY_READS else syncs,
        "iodepth": depth,
        "ioengine": options.get("ioengine", "psync"),
        "numjobs": int(options.get("numjobs", 1)),
        "runtime": seconds or 0.0,
    }


def fio_size(text: str) -> int:
    """Return bytes of fio's "4k", "1m", "4096" (powers of 1024)."""
    lower = text.strip().lower()
    factor = {"k": "KiB", "m": "MiB", "g": "GiB"}.get(lower[-1:], "B")
    size = parse_size(f"{lower.rstrip('kmg')}{factor}")
    if size is None:
        raise ValueError(f"no size: {text!r}")
    return size


def together(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return several jobs as one: sums of work, the longest time, mean latencies by number of requests."""
    whole: dict[str, Any] = {"elapsed": max(job.get("elapsed", 0) for job in jobs), "error": 0}
    for side in ("read", "write"):
        parts = [job[side] for job in jobs]
        total = sum(part["total_ios"] for part in parts)
        mean = sum(part["clat_ns"]["mean"] * part["total_ios"] for part in parts) / (total or 1)
        whole[side] = {
            "total_ios": total,
            "io_bytes": sum(part["io_bytes"] for part in parts),
            "runtime": max(part["runtime"] for part in parts),
            "clat_ns": {"mean": mean},
        }
    return whole


def utc(seconds: int) -> str:
    """Return a time as the campaign file writes it."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def read_iperf3(content: bytes) -> ForeignRun:
    """iperf3's JSON."""
    document = iperf3.read_json(content)
    if said := str(document.get("error", "")):
        raise TrialFailed(f"iperf3 reports: {said}")
    test = document["start"]["test_start"]
    params: dict[str, Scalar] = {
        "protocol": str(test["protocol"]),
        "streams": int(test["num_streams"]),
        "len": int(test["blksize"]),
        "runtime": float(test["duration"]),
        "direction": "reverse" if test.get("reverse") else "stream",
    }
    told: dict[str, Scalar] = {"tool.version": str(document["start"]["version"])}
    measured = iperf3.figures(document["end"])
    return ForeignRun(
        params,
        iperf3.THROUGHPUT.name,
        measured,
        utc(document["start"]["timestamp"]["timesecs"]),
        float(test["duration"]),
        told,
    )


def read_netperf(content: bytes) -> ForeignRun:
    """netperf's keyword output (`-k`), whichever keys were asked for."""
    values = netperf.keyval(content)
    test = "rr" if values["THROUGHPUT_UNITS"] == "Trans/s" else "stream"
    point = Point("foreign", "netperf", {"test": test})
    seconds = float(values["ELAPSED_TIME"])
    params: dict[str, Scalar] = {"test": test, "runtime": float(round(seconds))}
    named = {"message": "LOCAL_SEND_SIZE", "protocol": "PROTOCOL"}
    params |= {name: values[key] for name, key in named.items() if key in values}
    told: dict[str, Scalar] = {"tool.version": values.get("NETPERF_VERSION", UNKNOWN)}
    return ForeignRun(
        params, netperf.Netperf().primary(point), netperf.figures(point, values), duration_s=seconds, told=told
    )
