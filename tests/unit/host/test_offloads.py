"""An interface in words, as this host's kernel and as ethtool inside say it; a card's bus."""

from __future__ import annotations

from primetime.host.facts import mmc_bus, parse_ios
from primetime.host.offloads import hop_in_words, parse_ethtool

ETHTOOL = """Features for eth0:
rx-checksumming: on [fixed]
tx-checksumming: on
\ttx-checksum-ipv4: off [fixed]
scatter-gather: on
tcp-segmentation-offload: off
generic-segmentation-offload: on
generic-receive-offload: on
large-receive-offload: off [fixed]
"""
IOS = """clock:\t\t200000000 Hz
vdd:\t\t21 (3.3 ~ 3.4 V)
bus width:\t3 (8 bits)
timing spec:\t9 (mmc HS200)
"""


def test_the_loopback_is_said_in_words() -> None:
    words = hop_in_words("lo")
    assert words is not None
    assert words.startswith("mtu 65536, qdisc noqueue")
    assert "gso on" in words


def test_an_interface_that_is_not_there_has_none() -> None:
    assert hop_in_words("pt-none") is None


def test_ethtools_words_are_the_same_as_the_kernels() -> None:
    assert parse_ethtool(ETHTOOL) == {"rx": "on", "tx": "on", "sg": "on", "tso": "off", "gso": "on", "gro": "on"}


def test_a_cards_bus_is_one_line() -> None:
    assert parse_ios(IOS) == "clock 200000000 Hz, bus width 3 (8 bits), timing spec 9 (mmc HS200)"


def test_other_disks_have_no_such_bus() -> None:
    assert mmc_bus("virtio0") is None
    assert mmc_bus("mmc9:0001") is None
