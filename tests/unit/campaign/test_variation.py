"""What must not matter is another in every boot: varied within its bounds, recorded, and the same for the same seed."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from primetime.campaign.variation import FIRST_PORT, PORTS, Variation, variation
from primetime.model import Point, Site
from primetime.workloads import workload

SEEDS, BOOTS = st.integers(0, 2**32 - 1), st.integers(1, 10_000)


@given(seed=SEEDS, boot=BOOTS)
def test_a_boots_setup_is_a_pure_function_within_its_bounds(seed: int, boot: int) -> None:
    found = variation(seed, boot)
    assert found == variation(seed, boot)
    assert 0 <= found.padding_bytes < 4096
    assert found.spacer_bytes % 4096 == 0
    assert found.spacer_bytes < 2**20
    assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", found.mac)  # local, and no multicast
    assert len("".join(found.environment().values())) == found.padding_bytes


@given(seed=SEEDS, boot=BOOTS)
def test_no_port_comes_again_while_it_may_still_be_waiting(seed: int, boot: int) -> None:
    found = variation(seed, boot)
    ports = [found.local_port(trial) for trial in range(1, 500)]
    assert len(set(ports)) == len(ports)
    assert all(FIRST_PORT <= port < FIRST_PORT + PORTS for port in ports)


def test_boots_differ() -> None:
    setups = [variation(7, boot) for boot in range(1, 41)]
    for part in ("padding_bytes", "spacer_bytes", "mac", "first_port"):
        assert len({getattr(one, part) for one in setups}) > 30


def test_what_is_not_varied_is_left_to_the_kernel() -> None:
    plain = Variation()
    assert (plain.environment(), plain.local_port(3)) == ({}, 0)
    assert {fact.value for fact in plain.facts()} == {0, None}


def test_the_tools_are_told_their_port() -> None:
    site = Site("/data", 512, "198.18.1.2", local_port=23456)
    for name, words in (("netperf", "23456,12866"), ("iperf3", "--cport=23456")):
        member = workload(name)
        [step] = member.recipe(Point("p", name, member.check("p", {})), site).run
        assert words in step.argv
