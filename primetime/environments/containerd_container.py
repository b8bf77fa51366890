"""A container of the private containerd, through its own client `ctr`."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from primetime.environments.base import BootContext
from primetime.environments.chroot import limited
from primetime.environments.containerd import DEVMAPPER, Containerd, DaemonPlan, open_containerd
from primetime.environments.containerd_image import NAME
from primetime.environments.oci import CLIENT_GRACE_S, CONSOLE_TAIL, END_LIMIT_S, ContainerInstance, wait_ready
from primetime.environments.proofs import prove_cgroup
from primetime.errors import CommandTimeout
from primetime.host.cgroup import Cgroup
from primetime.host.process import Spawning, spawn
from primetime.model import Command, Fact, Footprint, Outcome

TMP = "type=tmpfs,src=tmpfs,dst=/tmp,options=nosuid:nodev:noexec:mode=1777:size=65536k"
FIRST_PROCESS = ("/usr/lib/primetime/ready", "sleep", "infinity")


@dataclass(frozen=True, slots=True)
class Launch:
    """How a container is started. `options`: of `ctr run`, beside what all of them have."""

    options: Sequence[str]
    snapshotter: str
    pool_mib: int
    path: str = ""


class CtrContainer(ContainerInstance):
    """A running container of a private daemon."""

    def __init__(self, context: BootContext, daemon: Containerd) -> None:
        self.context = context
        self.daemon = daemon
        self.numbers = itertools.count(1)
        self.console_path = context.directory / "console"

    def run(self, command: Command) -> Outcome:
        variables = [f"{name}={value}" for name, value in command.env.items()]
        inner = replace(command, argv=("env", *variables, *command.argv) if variables else command.argv)
        argv = self.daemon.argv(
            "tasks", "exec", "--exec-id", f"x{next(self.numbers)}", "--fifo-dir", str(self.context.directory / "fifo"),
            self.context.name, *limited(inner),
        )  # fmt: skip
        how = Spawning(placement=self.daemon.plan.placement, cwd=self.context.directory)
        return self.through_client(command, argv, how, CLIENT_GRACE_S)

    def alive(self) -> bool:
        """Ask the daemon whether the container still runs."""
        return self.daemon.container_states().get(self.context.name) == "RUNNING"

    def end(self, main: subprocess.Popen[bytes]) -> None:
        """Kill the first process: the client in the foreground then takes task, container and snapshot away."""
        name = self.context.name
        with suppress(CommandTimeout):  # a shim that waits for its guest: the ledger ends it by its cgroup
            self.daemon.ctr("tasks", "kill", "--signal", "SIGKILL", name, check=False)
            try:
                main.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.daemon.ctr("tasks", "delete", "--force", name, check=False)
                self.daemon.ctr("containers", "delete", name, check=False)

    def footprint(self) -> Footprint:
        return Footprint(cgroups=(self.context.cgroup.name,), interfaces=(self.context.connection.interface,))

    def prove_limits(self) -> tuple[Fact, ...]:
        plan = self.daemon.plan
        facts = [Fact("containerd.snapshotter", plan.snapshotter)]
        if plan.snapshotter == DEVMAPPER:
            facts.append(Fact("containerd.pool_mib", plan.pool_mib))
            facts.append(Fact("containerd.pool_files", "on the volume, preallocated, direct"))
        return (*prove_cgroup(self, self.context.cgroup, self.context.limits), *facts)

    def console(self) -> bytes:
        return self.console_path.read_bytes()[-CONSOLE_TAIL:]


@contextmanager
def started(context: BootContext, launch: Launch, make: type[CtrContainer]) -> Iterator[CtrContainer]:
    """Start the daemon, then the container, which alone is timed: users have a daemon running. Raises BootFailed."""
    context.cgroup.delegate()
    runtime = Cgroup(f"{context.cgroup.name}/runtime", context.cgroup.hierarchy)
    runtime.create()
    with ExitStack() as stack:
        placement = stack.enter_context(runtime.placement(context.limits.cpu_set))
        plan = DaemonPlan(context, placement, launch.snapshotter, launch.pool_mib, launch.path)
        daemon = stack.enter_context(open_containerd(plan))
        container = make(context, daemon)
        console = stack.enter_context(container.console_path.open("wb"))
        how = Spawning(placement=placement, stdout=console, stderr=console, cwd=context.directory)
        begun = time.monotonic()
        main = stack.enter_context(spawn(daemon.argv(*run_arguments(context, launch)), how))
        stack.callback(container.end, main)
        container.started_at = begun
        container.ready_at = wait_ready(container, main.poll, context.boot_limit_s)
        yield container


def run_arguments(context: BootContext, launch: Launch) -> list[str]:
    """The client's `run`, in the foreground: its end takes everything of the container away."""
    return [
        "run", "--rm", "--snapshotter", launch.snapshotter,
        "--fifo-dir", str(context.directory / "fifo"),
        "--cgroup", f"/{context.cgroup.name}/container",
        "--with-ns", f"network:/run/netns/{context.connection.namespace}",
        "--env", "LANG=C.UTF-8", "--env", "HOME=/root",
        "--mount", TMP,
        *launch.options,
        NAME, context.name, *FIRST_PROCESS,
    ]  # fmt: skip
