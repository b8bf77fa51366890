"""iperf3: what 3.18 really printed, and the options of a point."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from primetime.errors import TrialFailed, UserError
from primetime.model import Point, Recipe, Scalar, Site, StepOutput, TrialData, Where
from primetime.workloads import workload

RECORDED = Path(__file__).parents[2] / "recorded"
SITE = Site("/data", 512, "198.18.1.2")


def point(**given: object) -> Point:
    return Point("p", "iperf3", workload("iperf3").check("p", given))


def recipe(site: Site = SITE, **given: object) -> Recipe:
    return workload("iperf3").recipe(point(**given), site)


def parsed(recording: str | bytes) -> dict[str, float]:
    stdout = recording if isinstance(recording, bytes) else (RECORDED / recording).read_bytes()
    output = StepOutput("iperf3.json", ("iperf3",), 0, stdout, b"", 0.0, 1.0)
    found = workload("iperf3").parse(point(), TrialData((output,), 0.0, 1.0))
    return {one.metric.name: one.value for one in found}


def test_rate_is_the_receivers() -> None:
    found = parsed("iperf3-3.18-stream.json")
    assert found == {
        "throughput": pytest.approx(23096000558.68),
        "tool_duration": pytest.approx(1.002358),
        "retransmits": 0.0,
    }


def test_omitted_seconds_do_not_count() -> None:
    found = parsed("iperf3-3.18-reverse-paced-omit.json")
    assert found["throughput"] == pytest.approx(100025477.96)
    assert found["tool_duration"] == pytest.approx(1.000865)


def test_retransmits_of_a_kernel_that_does_not_count_them_are_left_out() -> None:
    whole = (RECORDED / "iperf3-3.18-stream.json").read_bytes()
    assert "retransmits" not in parsed(whole.replace(b'"retransmits"', b'"other"'))
    assert parsed(whole.replace(b'"retransmits":\t0', b'"retransmits":\t7'))["retransmits"] == 7.0


@pytest.mark.parametrize(
    ("recording", "words"),
    [
        ("iperf3-3.18-busy.json", "the server is busy"),
        ("iperf3-3.18-refused.json", "unable to connect"),
        ("iperf3-3.18-server-died.json", "the server has terminated"),
    ],
)
def test_iperf3s_own_error_fails_the_trial(recording: str, words: str) -> None:
    stdout = (RECORDED / recording).read_bytes()
    with pytest.raises(TrialFailed, match=words):
        parsed(stdout)
    assert words in workload("iperf3").complaint(stdout, b"")


def test_complaint_of_a_wrong_option_is_not_its_usage() -> None:
    said = workload("iperf3").complaint(b"", (RECORDED / "iperf3-3.18-usage.txt").read_bytes())
    assert said.startswith("parameter error - client receive timeout")
    assert workload("iperf3").complaint(b"", b"exec: iperf3: not found\n") == "exec: iperf3: not found"


def test_a_summary_that_is_none_fails_the_trial() -> None:
    with pytest.raises(TrialFailed, match="not understood"):
        parsed(b'{"end": {"sum_received": {"bits_per_second": 1, "seconds": 1}, "sum_sent": 3}}')


@pytest.mark.parametrize("stdout", [b"", b"[]", b'{"end": {}}', b'{"end": {"sum_received": {"seconds": "x"}}}', b"{"])
def test_no_result_fails_the_trial(stdout: bytes) -> None:
    with pytest.raises(TrialFailed):
        parsed(stdout)


@pytest.mark.parametrize("rate", [b"0", b"NaN", b"-1"])
def test_nothing_moved_fails_the_trial(rate: bytes) -> None:
    whole = (RECORDED / "iperf3-3.18-stream.json").read_bytes()
    with pytest.raises(TrialFailed, match="moved nothing"):
        parsed(whole.replace(b"23096000558.682625", rate))


@for_all(st.integers(0, 2**20))
def test_output_cut_off_anywhere_fails_the_trial(cut: int) -> None:
    whole = (RECORDED / "iperf3-3.18-stream.json").read_bytes().rstrip()
    with pytest.raises(TrialFailed):
        parsed(whole[: cut % len(whole)])


def test_options_say_the_direction_size_and_pace() -> None:
    stream = recipe(len="64KiB", rate=10_000_000, runtime="3s", omit="2s")
    assert {"--length=65536", "--bitrate=10000000", "--time=3", "--omit=2"} <= set(stream.run[0].argv)
    assert "--reverse" not in stream.run[0].argv
    assert stream.duration_s == 5.0
    assert stream.run[0].timeout_s > 5.0
    assert "--reverse" in recipe(direction="reverse").run[0].argv


def test_every_side_gives_up_a_silent_other() -> None:
    receiving, sending = recipe(direction="reverse"), recipe()
    assert any(word.startswith("--rcv-timeout") for word in receiving.run[0].argv)
    assert not any(word.startswith("--rcv-timeout") for word in sending.run[0].argv)  # iperf3 refuses it there
    assert any(word.startswith("--snd-timeout") for word in sending.run[0].argv)
    for made in (receiving, sending):
        assert any(word.startswith("--rcv-timeout") for word in made.servers[0].argv)
        assert made.servers[0].where is Where.PEER


def test_both_directions_share_a_server() -> None:
    assert recipe().servers == recipe(direction="reverse").servers


def test_smoke_takes_a_second() -> None:
    made = recipe(Site("/data", 512, "198.18.1.2", smoke=True), runtime="60s", omit="5s")
    assert made.duration_s == 1.0
    assert {"--time=1", "--omit=0"} <= set(made.run[0].argv)


def test_without_a_peer_it_is_skipped() -> None:
    assert "network.peer" in workload("iperf3").skip_reason(point(), Site("/data", 512, ""))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"direction": "sideways"}, "direction cannot be 'sideways'"),
        ({"runtime": "1.5s"}, "whole seconds up to 86400 for runtime"),
        ({"omit": "700s"}, "whole seconds up to 600 for omit"),
        ({"len": "2MiB"}, "at most 1MiB at once"),
        ({"rate": "fast"}, "rate must be a whole number"),
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, Scalar], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        workload("iperf3").check("my.toml: points[1]", given)
    assert caught.value.message.startswith("my.toml: points[1]: ")
    assert caught.value.hint
