"""What is read of Docker's words, and the command line; a real engine is in tests/host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from primetime.environments import docker
from primetime.environments.base import BootContext
from primetime.environments.docker import Docker, DockerContainer
from primetime.environments.docker_engine import Engine, cgroup_name, parse_info
from primetime.errors import BootFailed, CommandFailed, CommandTimeout, UserError
from primetime.host.process import Placement, Spawning, spawn
from primetime.model import EnvironmentSpec, Limits, Outcome, Usable

HYBRID = "9:name=systemd:/docker/0aa1\n4:memory:/docker/0aa1\n2:cpuacct:/docker/0aa1\n0::/docker/0aa1\n"


def context() -> BootContext:
    return cast(BootContext, SimpleNamespace(limits=Limits(2, (1, 3), 256 << 20, 0), volume=Path("/vol/b1")))


def arguments(**settings: str) -> list[str]:
    member = Docker(EnvironmentSpec("d", "docker", settings))
    return member.run_arguments(context(), "primetime-b1", "primetime-userland:abc")


def test_limits_are_the_engines_own_options() -> None:
    words = arguments()
    assert words[words.index("--memory") + 1] == words[words.index("--memory-swap") + 1] == str(256 << 20)
    assert words[words.index("--cpuset-cpus") + 1] == "1,3"
    assert not {"--privileged", "--security-opt", "--network"} & set(words), "the defaults are what users have"


def test_the_volume_is_mounted_unless_the_layer_is_asked_for() -> None:
    assert "/vol/b1:/data" in arguments()
    assert "--volume" not in arguments(storage="layer")


def test_a_layer_elsewhere_is_no_volume(tmp_path: Path) -> None:
    member = Docker(EnvironmentSpec("d", "docker", {"storage": "layer"}))
    where = cast(BootContext, SimpleNamespace(volume=tmp_path))
    member.check_storage(where, {"DockerRootDir": str(tmp_path)})
    with pytest.raises(BootFailed, match="not on the volume"):
        member.check_storage(where, {"DockerRootDir": "/proc"})


def test_the_cgroup_is_the_memory_controllers_or_the_unified_one() -> None:
    assert cgroup_name(HYBRID) == "docker/0aa1"
    assert cgroup_name("0::/system.slice/docker-0aa1.scope\n") == "system.slice/docker-0aa1.scope"
    with pytest.raises(BootFailed, match="root cgroup"):
        cgroup_name("0::/\n")


def test_a_client_without_an_engine_says_so_with_exit_code_0() -> None:
    words = b'{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"]}'
    with pytest.raises(CommandFailed, match="Cannot connect"):
        parse_info(words)
    assert parse_info(b'{"Driver":"overlay2"}') == {"Driver": "overlay2"}


def test_the_socket_is_named_to_the_client() -> None:
    assert Engine("/run/x.sock").argv("ps") == ["docker", "--host", "unix:///run/x.sock", "ps"]
    assert Docker(EnvironmentSpec("d", "docker", {"socket": "unix:///run/x.sock"})).engine() == Engine("/run/x.sock")


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(UserError, match="storage cannot be 'overlay'"):
        Docker(EnvironmentSpec("d", "docker", {"storage": "overlay"}))


class HungEngine(Engine):
    """An engine that answers nothing any more."""

    def run(self, *arguments: str, check: bool = True, limit_s: float = 120.0) -> Outcome:
        raise CommandTimeout(self.argv(*arguments), limit_s)


def test_an_engine_that_hangs_does_not_hide_why_a_container_was_ended(tmp_path: Path) -> None:
    boot = cast(BootContext, SimpleNamespace(name="b1", directory=tmp_path))
    container = DockerContainer(boot, HungEngine("/run/docker.sock"), Placement())
    with spawn(["sleep", "60"], Spawning()) as main:
        container.end(main)


class HungDocker(Docker):
    """Docker with such an engine."""

    def engine(self) -> Engine:
        return HungEngine("/run/docker.sock")


def test_an_engine_that_hangs_is_one_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "find_program", lambda name: f"/usr/bin/{name}")
    found = HungDocker(EnvironmentSpec("d", "docker", {})).missing()
    assert found is not None
    assert found.state is Usable.NO
    assert "did not end within 30 s" in found.reason
