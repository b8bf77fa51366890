"""Native, runc, gVisor and QEMU really boot here, inside their limits, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from primetime.campaign.device import BootStart
from primetime.campaign.linux_device import LinuxDevice
from primetime.campaign.survey import FIRST_SIGN_S, KVM, try_environment
from primetime.environments import environment
from primetime.environments.base import Environment
from primetime.errors import CommandTimeout
from primetime.images.guest import GuestImages
from primetime.model import Command, EnvironmentSpec, Usable
from tests.host.machine import Standing

NUMBER = 61000
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 12865), 20).close()"
KINDS = [pytest.param(kind, marks=pytest.mark.required_environment) for kind in ("native", "runc", "gvisor", "qemu")]


@pytest.mark.parametrize("kind", KINDS)
def test_survey_finds_it_usable(
    kind: str, unchanged: Standing, device: LinuxDevice, members: dict[str, Environment]
) -> None:
    found = try_environment(device, members[kind], BootStart(NUMBER, first_sign_s=FIRST_SIGN_S))
    assert found.state in (Usable.YES, Usable.CAVEAT), found.reason
    if kind == "qemu" and found.emulated:
        assert found.reason
        assert not KVM.exists() or "/dev/kvm" in found.reason


@pytest.mark.parametrize("kind", KINDS)
def test_boots_runs_and_ends(
    kind: str, unchanged: Standing, device: LinuxDevice, members: dict[str, Environment]
) -> None:
    how = BootStart(NUMBER + 1, emulated=kind == "qemu")
    with device.boot(members[kind], how) as instance:
        assert instance.ready_at > instance.started_at
        facts = {fact.name: fact.value for fact in (*instance.prove_limits(), *instance.touch_memory())}
        assert facts["limits.cpus_inside"] == 1
        hello = instance.run(Command(("sh", "-c", "cat > /data/hello; cat /data/hello; exit 7"), 60, b"bytes \x00\xff"))
        assert (hello.returncode, hello.stdout) == (7, b"bytes \x00\xff")
        instance.put("/data/file", b"put")
        assert instance.get("/data/file") == b"put"
        with pytest.raises(CommandTimeout):
            instance.run(Command(("sleep", "61.5"), 1.0))
        assert b"sleep 61.5" not in instance.run(Command(("ps", "-eo", "args"), 60)).stdout
        version = instance.run(Command(("fio", "--version"), 60))
        assert version.stdout.startswith(b"fio-3.")
        footprint = instance.footprint()
        assert device.footprint_bytes(footprint) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_reaches_the_peer(kind: str, unchanged: Standing, device: LinuxDevice, members: dict[str, Environment]) -> None:
    from primetime.model import Step, Where

    server = Step(Where.PEER, ("netserver", "-D", "-4"), "netserver", 60)
    how = BootStart(NUMBER + 2, emulated=kind == "qemu")
    with device.boot(members[kind], how) as instance, device.serve_on_peer(server):
        outcome = instance.run(Command(("python3", "-c", CONNECT, device.site.peer), 60))
        assert outcome.returncode == 0, outcome.stderr


def test_container_files_lie_on_the_volume(
    device: LinuxDevice, members: dict[str, Environment], volume_path: Path
) -> None:
    for kind in ("native", "runc", "gvisor"):
        with device.boot(members[kind], BootStart(NUMBER + 3)) as instance:
            instance.put("/data/here", b"x")
            instance.run(Command(("sync",), 60))
            assert list(volume_path.rglob("here")), kind


def test_the_same_userland_everywhere(
    device: LinuxDevice, members: dict[str, Environment], images: GuestImages
) -> None:
    digests = set()
    for kind in ("native", "runc", "gvisor"):
        with device.boot(members[kind], BootStart(NUMBER + 4)) as instance:
            digests.add(instance.run(Command(("sha256sum", "/usr/bin/fio"), 60)).stdout)
    assert len(digests) == 1


@pytest.mark.parametrize("kind", ["runc", "gvisor"])
def test_a_container_on_the_hosts_network_sees_the_hosts_interfaces(
    kind: str, unchanged: Standing, device: LinuxDevice
) -> None:
    member = environment(EnvironmentSpec(kind, kind, {"network": "host"}))
    with device.boot(member, BootStart(NUMBER + 5)) as instance:
        seen = instance.run(Command(("cat", "/proc/net/dev"), 60)).stdout.decode()
        assert "ptpeer0:" in seen
        assert instance.footprint().interfaces == ()
    assert "network=host" in member.printed_name()
