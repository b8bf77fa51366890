"""iperf3: one TCP stream to the peer or from it.

    [[points]]
    workload = "iperf3"
    direction = "stream"    # the target sends; "reverse": it receives
    len = "128KiB"          # bytes per write and per read
    runtime = "10s"
    omit = "0s"             # seconds before iperf3's own figures begin
    rate = 0                # bits per second to keep to, or "50%" of what the baseline does; 0: as fast as it goes

The rate is what the receiver got: what the sender has handed to its kernel is not yet across. iperf3's CPU
figures are those of the kernel it runs in and are not used. A peer that primetime does not manage must run
`iperf3 --server --port 5201`. Output format: iperf3's own JSON (3.18).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
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
)
from primetime.workloads.base import GRACE_S, Kind, Parameter, Workload
from primetime.workloads.pacing import kept_rate, why_unknown
from primetime.workloads.units import size_in_words

PORT = 5201
OUTPUT = "iperf3.json"
OWN_WORDS = "iperf3: "
CONNECT_LIMIT_MS = 10_000
SILENCE_LIMIT_MS = 20_000  # after it a side gives the other up; the server is then free for the next trial
MOST = {"runtime": 86400, "omit": 600}  # seconds that iperf3 takes
SILENCE_LIMIT = f"--rcv-timeout={SILENCE_LIMIT_MS}"  # refused where a client only sends
LARGEST_LEN = 2**20  # what iperf3 takes for TCP

THROUGHPUT = Metric("throughput", "bit/s", Direction.HIGHER, MetricKind.RATE)
RUNTIME = Metric("tool_duration", "s", Direction.LOWER, MetricKind.COST)
RETRANSMITS = Metric("retransmits", "1", Direction.LOWER, MetricKind.COST)


class Iperf3(Workload):
    """See the module."""

    name = "iperf3"
    summary = "a TCP stream to or from the peer by iperf3"
    parameters = (
        Parameter("direction", Kind.TEXT, "stream", "whether the target sends or receives", ("stream", "reverse")),
        Parameter("len", Kind.SIZE, 128 * 2**10, "bytes per write and per read", least=1),
        Parameter("runtime", Kind.DURATION, 10.0, "length of the window", least=1.0),
        Parameter("omit", Kind.DURATION, 0.0, "time before iperf3's own figures begin"),
        Parameter("rate", Kind.INT, 0, 'bits per second to keep to, or "50%" of the baseline\'s; 0: any', share=True),
    )

    def check(self, where: str, given: Mapping[str, object]) -> dict[str, Scalar]:
        params = super().check(where, given)
        for key, most in MOST.items():
            seconds = float(params[key])
            if not seconds.is_integer() or seconds > most:
                words = f"{where}: iperf3 takes whole seconds up to {most} for {key}, not {given[key]!r}"
                raise UserError(words, f'e.g. {key} = "3s"')
        if int(params["len"]) > LARGEST_LEN:
            words = f"{where}: iperf3 writes at most {size_in_words(LARGEST_LEN)} at once, not {given['len']!r}"
            raise UserError(words, f'e.g. len = "{size_in_words(LARGEST_LEN)}"')
        return params

    def skip_reason(self, point: Point, site: Site) -> str:
        return why_unknown(point) if site.peer else "the study names no network.peer"

    def recipe(self, point: Point, site: Site) -> Recipe:
        seconds = 1.0 if site.smoke else float(point.params["runtime"])
        omit = 0.0 if site.smoke else float(point.params["omit"])
        argv = ("iperf3", "--client", site.peer, "--version4", "--port", str(site.peer_port or PORT), "--json")
        limits = (f"--connect-timeout={CONNECT_LIMIT_MS}", f"--snd-timeout={SILENCE_LIMIT_MS}")
        server = ("iperf3", "--server", "--version4", "--port", str(PORT), SILENCE_LIMIT)
        bound = (f"--cport={site.local_port}",) if site.local_port else ()
        run = (*argv, *limits, *stream(point.params), f"--time={seconds:.0f}", f"--omit={omit:.0f}", *bound)
        return Recipe(
            run=(Step(Where.TARGET, run, OUTPUT, seconds + omit + GRACE_S),),
            warm=(Step(Where.TARGET, ("iperf3", "--version"), "warm", GRACE_S),),
            servers=(Step(Where.PEER, server, "iperf3-server", GRACE_S),),
            duration_s=seconds + omit,
            ramp_s=omit,
        )

    def parse(self, point: Point, data: TrialData) -> tuple[Measurement, ...]:  # noqa: ARG002
        document = read_json(data.output(OUTPUT).stdout)
        if said := str(document.get("error", "")):
            raise TrialFailed(f"iperf3 reports: {said}")
        try:
            return figures(document["end"])
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise TrialFailed(f"iperf3's result is not understood ({type(error).__name__}: {error})") from None

    def complaint(self, stdout: bytes, stderr: bytes) -> str:
        try:
            said = str(read_json(stdout).get("error", ""))
        except TrialFailed:
            said = ""
        lines = stderr.decode(errors="replace").splitlines()
        own = [line.removeprefix(OWN_WORDS) for line in lines if line.startswith(OWN_WORDS)]  # before its usage
        return said or (own[0] if own else super().complaint(stdout, stderr))

    def primary(self, point: Point) -> str:  # noqa: ARG002 - the same in both directions
        return THROUGHPUT.name


def stream(params: Mapping[str, Scalar]) -> tuple[str, ...]:
    """The options of a point that say what is sent."""
    reverse = ("--reverse", SILENCE_LIMIT) if params["direction"] == "reverse" else ()
    return (*reverse, f"--length={params['len']}", f"--bitrate={kept_rate(params)}")


def read_json(stdout: bytes) -> dict[str, Any]:
    """Return iperf3's document; TrialFailed when there is none."""
    try:
        document = json.loads(stdout)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise TrialFailed("iperf3 printed no JSON result")
    return document


def figures(end: Mapping[str, Any]) -> tuple[Measurement, ...]:
    """Turn the summary into measurements. LookupError, TypeError, ValueError where it is not as documented."""
    received = end["sum_received"]
    rate, seconds = float(received["bits_per_second"]), float(received["seconds"])
    if not (isfinite(rate) and isfinite(seconds) and rate > 0 and seconds > 0):
        raise TrialFailed("iperf3 moved nothing")
    found = [Measurement(THROUGHPUT, rate), Measurement(RUNTIME, seconds)]
    resent = float(end["sum_sent"].get("retransmits", -1))  # absent where the sender's kernel does not count them
    if resent >= 0:
        found.append(Measurement(RETRANSMITS, resent))
    return tuple(found)
