"""netperf: one TCP connection to the peer, as a stream or as request and response.

    [[points]]
    workload = "netperf"
    test = "rr"             # "stream": the target sends; "maerts": it receives; "rr": request and response
    message = "64B"
    runtime = "3s"
    nodelay = false         # TCP_NODELAY (netperf's -D)

One long run per trial, no -I: iterations inside one connection are not replicates (methodology 1.13).
netperf's own CPU figures are those of the kernel it runs in and are not asked for. Its manual warns
against reading virtualisation overhead out of streams: rr stands beside them. It keeps to no rate: pacing
(-b, -w) is not compiled into Debian's.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

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
)
from primetime.workloads.base import GRACE_S, Kind, Parameter, Workload

CONTROL_PORT = 12865
DATA_PORT = 12866
OUTPUT = "netperf.txt"
KEYS = (
    "THROUGHPUT,THROUGHPUT_UNITS,ELAPSED_TIME,LOCAL_SEND_SIZE,REMOTE_RECV_SIZE,MEAN_LATENCY,P50_LATENCY,P99_LATENCY,"
    "REQUEST_SIZE,RESPONSE_SIZE,LOCAL_BYTES_SENT,LOCAL_BYTES_RECVD,LOCAL_TRANSPORT_RETRANS,REMOTE_TRANSPORT_RETRANS,LOCAL_CONG_CONTROL"
)
LAST_KEY = "LOCAL_CONG_CONTROL"  # printed in the order asked for
THROUGHPUT = Metric("throughput", "bit/s", Direction.HIGHER, MetricKind.RATE)
TRANSACTIONS = Metric("transaction_rate", "1/s", Direction.HIGHER, MetricKind.RATE)
RUNTIME = Metric("tool_duration", "s", Direction.LOWER, MetricKind.COST)
RETRANSMITS = Metric("retransmits", "1", Direction.LOWER, MetricKind.COST)
UNITS = {"10^6bits/s": 1e6, "Trans/s": 1.0}


class Netperf(Workload):
    """See the module."""

    name = "netperf"
    summary = "TCP to the peer by netperf"
    parameters = (
        Parameter("test", Kind.TEXT, "rr", "direction or request and response", ("stream", "maerts", "rr")),
        Parameter("message", Kind.SIZE, 64, "bytes per send, or per request and response", least=1),
        Parameter("runtime", Kind.DURATION, 10.0, "length of the window", least=1.0),
        Parameter("nodelay", Kind.BOOL, False, "set TCP_NODELAY on both sides"),
    )

    def check(self, where: str, given: Mapping[str, object]) -> dict[str, Scalar]:
        if "rate" in given:
            hint = 'workload = "iperf3" keeps to a rate'
            raise UserError(f"{where}: netperf keeps to no rate: distributions build it without its intervals", hint)
        params = super().check(where, given)
        if not float(params["runtime"]).is_integer():
            raise UserError(
                f"{where}: netperf runs whole seconds only, not {given['runtime']!r}", 'e.g. runtime = "3s"'
            )
        return params

    def skip_reason(self, point: Point, site: Site) -> str:  # noqa: ARG002 - the same for every point
        return "" if site.peer else "the study names no network.peer"

    def recipe(self, point: Point, site: Site) -> Recipe:
        seconds = 1.0 if site.smoke else float(point.params["runtime"])
        argv = (
            "netperf",
            "-H",
            f"{site.peer},4",
            "-p",
            str(site.peer_port or CONTROL_PORT),
            "-t",
            "omni",
            "-l",
            f"{seconds:.0f}",
        )
        options = (
            "-j",
            "-P",
            "0",
            "--",
            "-T",
            "tcp",
            *direction(point),
            "-P",
            f"{site.local_port or ''},{DATA_PORT}",
            "-k",
            KEYS,
        )
        server = ("netserver", "-D", "-4", "-p", str(CONTROL_PORT))
        return Recipe(
            run=(Step(Where.TARGET, (*argv, *options), OUTPUT, seconds + GRACE_S),),
            warm=(Step(Where.TARGET, ("netperf", "-V"), "warm", GRACE_S),),
            servers=(Step(Where.PEER, server, "netserver", GRACE_S),),
            duration_s=seconds,
        )

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:
        values = keyval(data.output(OUTPUT).stdout)
        if LAST_KEY not in values:
            raise TrialFailed("netperf printed no valid result (its output is cut off, or empty)")
        try:
            return figures(point, values)
        except (KeyError, ValueError) as error:
            raise TrialFailed(f"netperf printed no valid result ({error})") from None

    def primary(self, point: Point) -> str:
        return TRANSACTIONS.name if point.params["test"] == "rr" else THROUGHPUT.name


def figures(point: Point, values: Mapping[str, str]) -> tuple[Measurement, ...]:
    """Turn keyword output into measurements. KeyError, ValueError where it is not as documented."""
    rate = float(values["THROUGHPUT"]) * UNITS[values["THROUGHPUT_UNITS"]]
    if rate <= 0:
        raise TrialFailed("netperf moved nothing")
    found = (
        Measurement(TRANSACTIONS if point.params["test"] == "rr" else THROUGHPUT, rate),
        Measurement(RUNTIME, float(values["ELAPSED_TIME"])),
        *retransmits(point, values),
        *latencies(point, values),
    )
    for one in found:
        if not isfinite(one.value):
            raise ValueError(f"{one.metric.name} is {one.value}")
    return found


def direction(point: Point) -> tuple[str, ...]:
    """The omni options of a point."""
    size = str(point.params["message"])
    by_test = {
        "stream": ("-d", "stream", "-m", size),
        "maerts": ("-d", "maerts", "-M", size),
        "rr": ("-d", "rr", "-r", f"{size},{size}"),
    }
    nodelay = ("-D",) if point.params["nodelay"] else ()
    return (*by_test[str(point.params["test"])], *nodelay)


def keyval(stdout: bytes) -> dict[str, str]:
    """Parse `-k` output: one NAME=value per line."""
    lines = (line.partition("=") for line in stdout.decode(errors="replace").splitlines())
    return {name: value for name, sign, value in lines if sign}


def retransmits(point: Point, values: Mapping[str, str]) -> list[Measurement]:
    """Segments sent again by the side that sends; nothing where its kernel does not count them (netperf prints -1)."""
    count = float(values.get(f"{'REMOTE' if point.params['test'] == 'maerts' else 'LOCAL'}_TRANSPORT_RETRANS", "-1"))
    return [Measurement(RETRANSMITS, count)] if count >= 0 else []


def latencies(point: Point, values: Mapping[str, str]) -> list[Measurement]:
    """Latency of request and response, in seconds (netperf prints microseconds); a stream has none to speak of."""
    if point.params["test"] != "rr":
        return []
    named = {"MEAN_LATENCY": "mean", "P50_LATENCY": "p50", "P99_LATENCY": "p99"}
    return [
        Measurement(Metric(f"latency_{name}", "s", Direction.LOWER, MetricKind.COST), float(values[key]) / 1e6)
        for key, name in named.items()
        if float(values.get(key, "-1")) > 0
    ]
