"""A container by a running Docker engine, with the engine's own defaults for security and network.

    [environments.docker]
    storage = "bind"      # or "layer": the container's own layer, where the engine keeps it on the volume's file system
    socket = "/var/run/docker.sock"

The engine is the user's: it must run already, and nothing of its configuration is changed. The container gets
--memory, --cpuset-cpus and the engine's default bridge. The userland is imported as an image and stays there.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from primetime.environments.base import (
    DATA_DIRECTORY,
    Attachment,
    BootContext,
    Environment,
    Instance,
    Setting,
    Storage,
    failing_as,
)
from primetime.environments.chroot import limited
from primetime.environments.docker_engine import Engine, cgroup_name, peer_interface
from primetime.environments.oci import CLIENT_GRACE_S, CONSOLE_TAIL, END_LIMIT_S, ContainerInstance, wait_ready
from primetime.environments.proofs import prove_cgroup
from primetime.errors import BootFailed, CommandFailed, CommandTimeout
from primetime.host.cgroup import Cgroup
from primetime.host.ledger import Act
from primetime.host.process import Placement, Spawning, find_program, spawn
from primetime.model import Command, Fact, Footprint, Outcome, Usability, Usable

DEFAULT_SOCKET = "/var/run/docker.sock"
FIRST_PROCESS = ("/usr/lib/primetime/ready", "sleep", "infinity")
TMP = "/tmp:rw,nosuid,nodev,noexec,size=65536k,mode=1777"


class DockerContainer(ContainerInstance):
    """A running container of the engine. `info`: what the engine says of itself."""

    def __init__(self, context: BootContext, engine: Engine, placement: Placement) -> None:
        self.context = context
        self.engine = engine
        self.placement = placement
        self.name = f"primetime-{context.name}"
        self.console_path = context.directory / "console"
        self.info: dict[str, Any] = {}
        self.pid = 0

    def run(self, command: Command) -> Outcome:
        variables = [f"--env={name}={value}" for name, value in command.env.items()]
        argv = self.engine.argv("exec", "--interactive", *variables, self.name, *limited(command))
        how = Spawning(placement=self.placement, cwd=self.context.directory)
        return self.through_client(command, argv, how, CLIENT_GRACE_S)

    def alive(self) -> bool:
        """Ask the engine whether the container still runs."""
        found = self.engine.inspect(self.name)
        return bool(found and found["State"]["Running"])

    def end(self, main: subprocess.Popen[bytes]) -> None:
        """Kill the first process; the engine then takes the container away, since it was started with --rm."""
        with suppress(CommandTimeout):  # an engine that hangs: the ledger ends the container all the same
            self.engine.run("kill", self.name, check=False)
            try:
                main.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.engine.run("rm", "--force", "--volumes", self.name, check=False)

    def came_up(self) -> None:
        """Learn where the engine has put it, and keep its shim, which is its alone, on the environment's CPUs."""
        found = self.engine.inspect(self.name)
        self.pid = int(found["State"]["Pid"]) if found else 0
        if not self.pid:
            raise BootFailed("container start", "the engine does not know the container's process", self.console())
        for task in Path(f"/proc/{self.shim()}/task").iterdir():
            os.sched_setaffinity(int(task.name), self.context.limits.cpu_set)

    def shim(self) -> int:
        """The process that the container's first one is a child of."""
        return int(Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])

    def cgroup(self) -> Cgroup:
        """Where the engine has put it."""
        return Cgroup(cgroup_name(Path(f"/proc/{self.pid}/cgroup").read_text(encoding="utf-8")))

    def footprint(self) -> Footprint:
        link = Path(f"/proc/{self.pid}/root/sys/class/net/eth0/iflink")
        interface = peer_interface(link.read_text(encoding="ascii")) if link.exists() else ""
        return Footprint((self.cgroup().name,), (self.shim(),), interfaces=(interface,) if interface else ())

    def prove_limits(self) -> tuple[Fact, ...]:
        security = ", ".join(self.info.get("SecurityOptions") or ["none"])
        return (
            *prove_cgroup(self, self.cgroup(), self.context.limits),
            Fact("docker.storage_driver", self.info["Driver"]),
            Fact("docker.root", self.info["DockerRootDir"]),
            Fact("docker.cgroup_driver", self.info["CgroupDriver"]),
            Fact("docker.security", security),
        )

    def console(self) -> bytes:
        return self.console_path.read_bytes()[-CONSOLE_TAIL:]


class Docker(Environment):
    """See the module."""

    kind = "docker"
    summary = "a container by a running Docker engine"
    storage = Storage.DIRECTORY
    attachment = Attachment.OWN
    own_network = "docker-bridge+nat"
    settings = (
        Setting("storage", "bind", ("bind", "layer"), "where the workload's files lie"),
        Setting("socket", DEFAULT_SOCKET, (), "the engine's socket, an absolute path"),
    )

    def engine(self) -> Engine:
        """The engine that the study names."""
        return Engine(str(self.values["socket"]).removeprefix("unix://"))

    def bypasses_host_cache(self) -> bool:
        return True

    def missing(self) -> Usability | None:
        if find_program("docker") is None:
            return Usability(self.kind, Usable.NO, "docker is not installed", "apt-get install docker.io")
        try:
            self.engine().info()
        except (CommandFailed, CommandTimeout) as error:
            reason = f"no Docker engine answers on {self.engine().socket}: {error.message}"
            return Usability(self.kind, Usable.NO, reason, 'systemctl start docker, or name its socket: socket = "…"')
        return None

    def usable(self) -> Usability:
        info = self.engine().info()
        versions = {"docker": info["ServerVersion"], "storage-driver": info["Driver"]}
        return Usability(self.kind, Usable.YES, versions=versions)

    @contextmanager
    def boot(self, context: BootContext) -> Iterator[Instance]:
        engine = self.engine()
        with ExitStack() as stack:
            placement = stack.enter_context(context.cgroup.placement(context.limits.cpu_set))
            container = DockerContainer(context, engine, placement)
            with failing_as("docker"):
                container.info = engine.info()
                image = engine.ensure_image(context)
            self.check_storage(context, container.info)
            stack.enter_context(
                context.ledger.undone(Act("docker-container", {"socket": engine.socket, "name": container.name}))
            )
            console = stack.enter_context(container.console_path.open("wb"))
            how = Spawning(placement=placement, stdout=console, stderr=console, cwd=context.directory)
            started = time.monotonic()
            argv = engine.argv(*self.run_arguments(context, container.name, image))
            main = stack.enter_context(spawn(argv, how))
            stack.callback(container.end, main)
            container.started_at = started
            container.ready_at = wait_ready(container, main.poll, context.boot_limit_s)
            container.came_up()
            yield container

    def check_storage(self, context: BootContext, info: dict[str, Any]) -> None:
        """BootFailed when the container's layer would lie on another file system than the volume (contract §1)."""
        if self.values["storage"] == "layer":
            root = Path(info["DockerRootDir"])
            if not root.exists() or root.stat().st_dev != context.volume.stat().st_dev:
                raise BootFailed("storage", f'the engine keeps layers in {root}, not on the volume: storage = "bind"')

    def run_arguments(self, context: BootContext, name: str, image: str) -> list[str]:
        """The client's `run`, in the foreground."""
        memory = str(context.limits.memory_bytes)
        cpus = ",".join(str(cpu) for cpu in context.limits.cpu_set)
        data = ["--volume", f"{context.volume}:{DATA_DIRECTORY}"] if self.values["storage"] == "bind" else []
        return [
            "run", "--rm", "--name", name, "--pull", "never", "--tmpfs", TMP,
            "--memory", memory, "--memory-swap", memory, "--cpuset-cpus", cpus,
            "--env", "LANG=C.UTF-8", *data, image, *FIRST_PROCESS,
        ]  # fmt: skip
