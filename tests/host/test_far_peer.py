"""A peer that primetime does not manage: found, described, used on its port; and missed with a hint."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from primetime.campaign.far_peer import far_peer_facts
from primetime.environments.chroot import ChrootPlan, open_chroot
from primetime.errors import UserError
from primetime.host.ledger import Act
from primetime.host.network import inside, ip, named_namespaces
from primetime.host.process import Placement, Spawning, spawn
from primetime.host.undo import open_ledger
from primetime.images.guest import GuestImages
from primetime.model import Command

NAMESPACE, LINK, ADDRESS, PORT = "pt-far", "ptfar0", "198.19.0.2", 22865


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
            f"address add 198.19.0.1/24 dev {LINK}",
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
    assert float(str(facts["network.peer_round_trip_s"])) > 0
    assert facts["network.link_mtu"] == "1500"


def test_netperf_finds_its_port(far: str, images: GuestImages, tmp_path: Path) -> None:
    argv = ("netperf", "-H", f"{far},4", "-p", str(PORT), "-l", "1", "-P", "0")
    with open_chroot(ChrootPlan(images.userland, tmp_path / "near", None, Placement())) as chroot:
        assert chroot.run(Command(argv, 30.0)).returncode == 0


def test_a_peer_that_is_not_there_is_a_mistake_with_a_hint(far: str) -> None:
    with pytest.raises(UserError, match="does not answer on port 9") as caught:
        far_peer_facts(f"{far}:9")
    assert "netserver -D -4 -p 9" in caught.value.hint
