"""A container by a Docker engine really runs here: the engine is the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from primetime.campaign.device import BootStart
from primetime.campaign.linux_device import LinuxDevice, Opening
from primetime.campaign.opening import open_device
from primetime.campaign.study_file import load_study
from primetime.campaign.survey import try_environment
from primetime.environments import environment
from primetime.environments.base import Environment
from primetime.environments.docker_engine import REPOSITORY, Engine
from primetime.errors import CommandTimeout
from primetime.host.lock import device_lock
from primetime.host.undo import open_ledger, undo_docker_container
from primetime.images.guest import GuestImages
from primetime.model import Command, EnvironmentSpec, Step, Usable, Where
from tests.host.docker_daemon import docker_daemon, unusable
from tests.host.machine import Standing

NUMBER = 61800
pytestmark = pytest.mark.skipif(bool(unusable()), reason=unusable() or "usable")
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 12865), 20).close()"
STUDY = """
[limits]
cpus = 1
memory = "256MiB"
[volume]
path = "{path}"
size = "64MiB"
[environments.native]
[environments.docker]
socket = "{socket}"
[[points]]
workload = "idle"
duration = "1s"
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, volume_path: Path) -> Iterator[Path]:
    with device_lock("tests"), docker_daemon(volume_path / "docker") as socket:
        yield socket


@pytest.fixture
def opened(daemon: Path, tmp_path: Path, volume_path: Path, images: GuestImages) -> Iterator[LinuxDevice]:
    path = tmp_path / "docked.toml"
    path.write_text(STUDY.format(path=volume_path, socket=daemon))
    study = load_study(str(path))
    ledger = open_ledger()
    ledger.replay()
    members = tuple(environment(spec) for spec in study.environments)
    with open_device(Opening(study, images, members, ledger)) as device:
        yield device


def docked(socket: Path, **settings: str) -> Environment:
    return environment(EnvironmentSpec("docked", "docker", {"socket": str(socket), **settings}))


def test_an_engine_that_does_not_answer_is_refused_with_the_way_out(tmp_path: Path) -> None:
    found = docked(tmp_path / "none.sock").missing()
    assert found is not None
    assert found.state is Usable.NO
    assert "no Docker engine answers" in found.reason
    assert "socket" in found.remedy


def test_it_boots_inside_its_limits_and_leaves_its_image_only(
    daemon: Path, opened: LinuxDevice, unchanged: Standing, volume_path: Path
) -> None:
    member = docked(daemon)
    assert member.missing() is None
    server = Step(Where.PEER, ("netserver", "-D", "-4"), "netserver", 60)
    with opened.boot(member, BootStart(NUMBER)) as instance, opened.serve_on_peer(server):
        facts = {fact.name: fact.value for fact in instance.prove_limits()}
        assert facts["limits.cpus_inside"] == 1
        assert facts["limits.memory_bytes"] == 256 << 20
        assert facts["docker.storage_driver"]
        assert "seccomp" in str(facts["docker.security"])
        hello = instance.run(Command(("sh", "-c", "cat > /data/hello; cat /data/hello; exit 7"), 60, b"bytes \x00\xff"))
        assert (hello.returncode, hello.stdout) == (7, b"bytes \x00\xff")
        assert list(volume_path.glob("primetime-volume/*/hello"))
        said = instance.run(Command(("sh", "-c", "echo $WORD"), 60, env={"WORD": "variable"}))
        assert said.stdout == b"variable\n"
        with pytest.raises(CommandTimeout):
            instance.run(Command(("sleep", "61.8"), 1.0))
        reached = instance.run(Command(("python3", "-c", CONNECT, opened.site.peer), 60))
        assert reached.returncode == 0, reached.stderr
        footprint = instance.footprint()
        assert footprint.interfaces[0].startswith("veth")
        assert opened.footprint_bytes(footprint) > 0
    engine = Engine(str(daemon))
    assert engine.run("ps", "--all", "--quiet").stdout == b""
    assert engine.run("image", "ls", "--quiet", REPOSITORY).stdout.count(b"\n") == 1


def test_survey_says_the_versions_and_the_layer_is_a_variant(daemon: Path, opened: LinuxDevice) -> None:
    member = docked(daemon, storage="layer")
    found = try_environment(opened, member, BootStart(NUMBER + 1))
    assert found.state is Usable.YES, found.reason
    assert set(found.versions) == {"docker", "storage-driver"}


def test_a_container_that_a_killed_run_left_is_removed(daemon: Path, opened: LinuxDevice) -> None:
    engine = Engine(str(daemon))
    image = f"{REPOSITORY}:{opened.opening.images.hashes['userland'][:16]}"
    engine.run("run", "--detach", "--name", "primetime-b9", image, "sleep", "infinity")
    undo_docker_container({"socket": str(daemon), "name": "primetime-b9"})
    assert engine.inspect("primetime-b9") is None
    undo_docker_container({"socket": str(daemon), "name": "primetime-b9"})
