"""netperf: what 2.7.1 really printed, and the direction options."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from primetime.errors import TrialFailed, UserError
from primetime.model import Point, Site, StepOutput, TrialData, Where
from primetime.workloads import workload

RECORDED = Path(__file__).parents[2] / "recorded"
SITE = Site("/data", 512, "198.18.1.2")


def point(**given: object) -> Point:
    return Point("p", "netperf", workload("netperf").check("p", given))


def parsed(recording: str | bytes, **given: object) -> dict[str, float]:
    stdout = recording if isinstance(recording, bytes) else (RECORDED / recording).read_bytes()
    output = StepOutput("netperf.txt", ("netperf",), 0, stdout, b"", 0.0, 1.0)
    found = workload("netperf").parse(point(**given), TrialData((output,), 0.0, 1.0))
    return {one.metric.name: one.value for one in found}


def test_stream_is_in_bits_per_second() -> None:
    assert parsed("netperf-2.7.1-stream.txt", test="stream")["throughput"] == pytest.approx(551.70e6)


def test_maerts_is_in_bits_per_second() -> None:
    assert parsed("netperf-2.7.1-maerts.txt", test="maerts")["throughput"] == pytest.approx(14937.82e6)


def test_request_response_has_latency_in_seconds() -> None:
    found = parsed("netperf-2.7.1-rr.txt", test="rr")
    assert found["transaction_rate"] == pytest.approx(17483.65)
    assert found["latency_mean"] == pytest.approx(57.15e-6)
    assert found["latency_p99"] == pytest.approx(90e-6)


def test_refused_connection_fails_the_trial() -> None:
    with pytest.raises(TrialFailed, match="no valid result"):
        parsed("netperf-2.7.1-refused.txt")


def test_complaint_is_netperfs_last_line() -> None:
    said = workload("netperf").complaint((RECORDED / "netperf-2.7.1-refused.txt").read_bytes(), b"\n")
    assert said.startswith("establish_control could not establish the control connection")


@for_all(st.integers(0, 2**20))
def test_output_cut_off_before_its_last_line_fails_the_trial(cut: int) -> None:
    whole = (RECORDED / "netperf-2.7.1-rr.txt").read_bytes()
    with pytest.raises(TrialFailed):
        parsed(whole[: cut % whole.index(b"LOCAL_CONG_CONTROL=")])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"THROUGHPUT=17483.65", b"THROUGHPUT=many"),
        (b"THROUGHPUT=17483.65", b"THROUGHPUT=0.00"),
        (b"Trans/s", b"furlongs"),
        (b"P50_LATENCY=54", b"P50_LATENCY=?"),
    ],
)
def test_figures_that_are_none_fail_the_trial(old: bytes, new: bytes) -> None:
    with pytest.raises(TrialFailed):
        parsed((RECORDED / "netperf-2.7.1-rr.txt").read_bytes().replace(old, new))


@pytest.mark.parametrize(("test", "resent"), [("stream", 7.0), ("rr", 7.0), ("maerts", 9.0)])
def test_retransmits_are_those_of_the_sending_side(test: str, resent: float) -> None:
    output = (RECORDED / f"netperf-2.7.1-{test}.txt").read_bytes()
    output = output.replace(b"LOCAL_TRANSPORT_RETRANS=0", b"LOCAL_TRANSPORT_RETRANS=7")
    output = output.replace(b"REMOTE_TRANSPORT_RETRANS=0", b"REMOTE_TRANSPORT_RETRANS=9")
    assert parsed(output, test=test)["retransmits"] == resent


def test_unknown_retransmits_are_no_figure() -> None:
    output = (RECORDED / "netperf-2.7.1-rr.txt").read_bytes()
    assert "retransmits" in parsed(output)
    assert "retransmits" not in parsed(output.replace(b"TRANSPORT_RETRANS=0", b"TRANSPORT_RETRANS=-1"))


@pytest.mark.parametrize(
    ("test", "options"),
    [("stream", "-d stream -m 256"), ("maerts", "-d maerts -M 256"), ("rr", "-d rr -r 256,256")],
)
def test_message_size_goes_where_the_direction_wants_it(test: str, options: str) -> None:
    made = workload("netperf").recipe(point(test=test, message="256B"), SITE)
    assert options in " ".join(made.run[0].argv)
    assert made.servers[0].where is Where.PEER


def test_runtime_that_netperf_would_round_is_refused() -> None:
    with pytest.raises(UserError, match="whole seconds only") as caught:
        point(runtime="1.5s")
    assert caught.value.hint
    assert workload("netperf").recipe(point(runtime="2 min"), SITE).duration_s == 120.0


@pytest.mark.parametrize("nodelay", [True, False])
def test_nodelay_is_set_where_asked_for(nodelay: bool) -> None:
    argv = workload("netperf").recipe(point(nodelay=nodelay), SITE).run[0].argv
    assert ("-D" in argv[argv.index("--") :]) is nodelay


def test_smoke_takes_a_second() -> None:
    made = workload("netperf").recipe(point(runtime="60s"), Site("/data", 512, "198.18.1.2", smoke=True))
    assert made.duration_s == 1.0
    assert made.run[0].argv[made.run[0].argv.index("-l") + 1] == "1"


def test_primary_metric_depends_on_the_test() -> None:
    member = workload("netperf")
    assert member.primary(point(test="stream")) == "throughput"
    assert member.primary(point(test="rr")) == "transaction_rate"


def test_without_a_peer_it_is_skipped_with_the_reason() -> None:
    assert "network.peer" in workload("netperf").skip_reason(point(), Site("/data", 512, ""))
