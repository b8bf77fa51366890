"""A peer that primetime does not manage: found, described, used on its port; and missed with a hint."""

from __future__ import annotations

import platform
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from primetime.campaign.far_peer import far_peer_facts, wire_facts
from primetime.campaign.peer_service import ask, busy_between, use_in
from primetime.environments.chroot import ChrootPlan, open_chroot
from primetime.errors import UserError
from primetime.host.ledger import Act
from primetime.host.network import inside, ip, named_namespaces
from primetime.host.process import Placement, Spawning, spawn
from primetime.host.undo import open_ledger
from primetime.images.guest import GuestImages
from primetime.model import Command

NAMESPACE, LINK, ADDRESS, PORT = "pt-far", "ptfar0", "203.0.113.2", 22865


@pytest.fixture
def far(tmp_path: Path, images: GuestImages) -> Iterator[str]:
    """A namespace with an address of its own, as a machine beyond a cable would be, and netserver in it."""
    ledger = open_ledger(tmp_path)
    with ExitStack() as stack:
        stack.enter_context(named_namespaces(ledger))
        stack.enter_context(ledger.undone(Act("namespace", {"name": NAMESPACE})))
        stack.enter_context(ledger.undone(Act("link", {"name": LINK})))
        ip([
            f"netns add {NAMESPACE}",
            f"link add {LINK} type veth peer name eth0 netns {NAMESPACE}",
            f"link set {LINK} up",
            f"address add 203.0.113.1/24 dev {LINK}",
        ])  # fmt: skip
        inside(NAMESPACE, ["link set lo up", "link set eth0 up", f"address add {ADDRESS}/24 dev eth0"])
        plan = ChrootPlan(images.userland, tmp_path / "far", None, Placement(), NAMESPACE)
        chroot = stack.enter_context(open_chroot(plan))
        argv = chroot.argv(("netserver", "-D", "-4", "-p", str(PORT)))
        with spawn(argv, Spawning(stop_s=1.0)) as server:
            while not answers():
                assert server.poll() is None
            yield ADDRESS


def answers() -> bool:
    """Whether the server listens by now."""
    try:
        with socket.create_connection((ADDRESS, PORT), 1.0):
            return True
    except OSError:
        return False


def test_it_is_described(far: str) -> None:
    facts = {fact.name: fact.value for fact in far_peer_facts(f"{far}:{PORT}")}
    assert facts["network.link"] == LINK
    assert facts["network.peer_over_control"] is False  # the default route lies elsewhere
    assert float(str(facts["network.peer_round_trip_s"])) > 0
    assert facts["network.link_mtu"] == "1500"


@pytest.fixture
def watched(far: str) -> Iterator[str]:
    """The same machine with `primetime peer` on it."""
    argv = ["ip", "netns", "exec", NAMESPACE, sys.executable, "-m", "primetime", "peer"]
    with spawn(argv, Spawning(stop_s=5.0, cwd=Path(__file__).parents[2])) as peer:
        deadline = time.monotonic() + 60
        while ask(far) is None:
            assert peer.poll() is None
            assert time.monotonic() < deadline
        yield far


def test_it_says_what_it_is_and_how_busy(watched: str) -> None:
    facts = {fact.name: fact.value for fact in far_peer_facts(f"{watched}:{PORT}")}
    assert facts["peer.watched"] is True
    assert facts["peer.link.name"] == "eth0"
    assert facts["peer.link.mtu"] == "1500"
    assert facts["peer.kernel"] == platform.release()
    before = use_in(ask(watched))
    time.sleep(0.5)
    busy = busy_between(before, use_in(ask(watched)))
    assert busy is not None
    assert 0 <= busy <= 1


def test_without_it_only_that_is_known(far: str) -> None:
    facts = {fact.name: fact.value for fact in far_peer_facts(f"{far}:{PORT}")}
    assert facts["peer.watched"] is False
    assert ask(far) is None


def test_the_wire_is_measured(far: str, images: GuestImages) -> None:
    facts = {fact.name: fact.value for fact in wire_facts(f"{far}:{PORT}", images.userland)}
    assert set(facts) == {"device.limit.wire_send_bits_per_s", "device.limit.wire_receive_bits_per_s"}
    assert all(float(str(value)) > 1e6 for value in facts.values())


def test_netperf_finds_its_port(far: str, images: GuestImages, tmp_path: Path) -> None:
    argv = ("netperf", "-H", f"{far},4", "-p", str(PORT), "-l", "1", "-P", "0")
    with open_chroot(ChrootPlan(images.userland, tmp_path / "near", None, Placement())) as chroot:
        assert chroot.run(Command(argv, 30.0)).returncode == 0


def test_a_peer_that_is_not_there_is_a_mistake_with_a_hint(far: str) -> None:
    with pytest.raises(UserError, match="does not answer on port 9") as caught:
        far_peer_facts(f"{far}:9")
    assert "netserver -D -4 -p 9" in caught.value.hint
