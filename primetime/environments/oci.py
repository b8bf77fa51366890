"""Containers by an OCI runtime's own command line, on a bundle that we write.

The runtime's own processes live in `<boot cgroup>/runtime`, the container in `<boot cgroup>/container`;
the campaign's limits are on the boot's cgroup, so nothing escapes them.
"""

from __future__ import annotations

import json
import subprocess
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from primetime.environments.base import (
    DATA_DIRECTORY,
    READY_LINE,
    Attachment,
    BootContext,
    Environment,
    Instance,
    Setting,
    Storage,
    failing_as,
)
from primetime.environments.bundle import VARIABLES, BundlePlan, oci_config
from primetime.environments.chroot import GRACE_S, checked, limited, wait_for_own_namespace
from primetime.environments.proofs import prove_cgroup
from primetime.errors import BootFailed, CommandTimeout, EnvironmentDied
from primetime.host.cgroup import Cgroup
from primetime.host.ledger import Act
from primetime.host.process import Placement, Spawning, run, spawn
from primetime.model import Command, EnvironmentSpec, Fact, Footprint, Outcome

CONSOLE_TAIL = 64 * 1024
POLL_S = 0.001
END_LIMIT_S = 10.0
CLIENT_GRACE_S = 30.0  # a client that is killed leaves its shim behind: it is given time
HOST = "host"
NETWORK = Setting("network", "path", ("path", HOST), "the study's network.path, or the host's own network", (HOST,))


class ContainerInstance(Instance):
    """A container that a client on the host reaches, whoever runs it."""

    @abstractmethod
    def alive(self) -> bool:
        """Ask whoever runs it whether it still does."""

    def through_client(self, command: Command, argv: list[str], how: Spawning, grace_s: float) -> Outcome:
        """Run a command by a client, who has `grace_s` more than the command; EnvironmentDied when all is gone."""
        limit_s = command.timeout_s + grace_s
        outcome = run(argv, timeout_s=limit_s, stdin=command.stdin, check=False, spawning=how)
        if outcome.returncode != 0 and not self.alive():
            raise EnvironmentDied("the container is gone", self.console())
        return checked(command, outcome)


class Container(ContainerInstance):
    """A running container. `argv`: the runtime with its global options."""

    def __init__(self, context: BootContext, argv: list[str], placement: Placement) -> None:
        self.context = context
        self.argv = argv
        self.placement = placement
        self.console_path = context.directory / "console"

    def run(self, command: Command) -> Outcome:
        # all of them: crun 1.8 drops the container's own, PATH too, as soon as one is given
        variables = [f"--env={name}={value}" for name, value in {**VARIABLES, **command.env}.items()]
        argv = [*self.argv, "exec", *variables, self.context.name, *limited(command)]
        how = Spawning(placement=self.placement, cwd=self.context.directory)
        return self.through_client(command, argv, how, 2 * GRACE_S)

    def end(self, main: subprocess.Popen[bytes]) -> None:
        """Kill the first process: the runtime in the foreground then takes the container away and ends."""
        with suppress(CommandTimeout):  # a runtime that hangs: the ledger ends the container all the same
            run([*self.argv, "kill", self.context.name, "KILL"], timeout_s=END_LIMIT_S, check=False)
            try:
                main.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                run([*self.argv, "delete", "--force", self.context.name], timeout_s=END_LIMIT_S, check=False)

    def alive(self) -> bool:
        """Ask the runtime whether the container still runs."""
        state = run([*self.argv, "state", self.context.name], timeout_s=GRACE_S, check=False)
        return state.returncode == 0 and json.loads(state.stdout)["status"] == "running"

    def footprint(self) -> Footprint:
        interface = self.context.connection.interface
        return Footprint(cgroups=(self.context.cgroup.name,), interfaces=(interface,) if interface else ())

    def prove_limits(self) -> tuple[Fact, ...]:
        return prove_cgroup(self, self.context.cgroup, self.context.limits)

    def console(self) -> bytes:
        return self.console_path.read_bytes()[-CONSOLE_TAIL:]


class OciEnvironment(Environment):
    """What runc and gVisor share: a bundle, a runtime, and a way in."""

    storage = Storage.DIRECTORY
    attachment = Attachment.NAMESPACE

    def __init__(self, spec: EnvironmentSpec) -> None:
        super().__init__(spec)
        if self.values["network"] == HOST:
            self.attachment = Attachment.HOST

    @abstractmethod
    def runtime(self, context: BootContext) -> list[str]:
        """Return the runtime's argv with its global options, without a verb."""

    @abstractmethod
    def seccomp(self, context: BootContext) -> Path | None:
        """Return the profile for the bundle; None where the runtime brings its own protection."""

    def bypasses_host_cache(self) -> bool:
        return True  # an overlay passes O_DIRECT on to the file below

    @contextmanager
    def entered(self, context: BootContext, placement: Placement) -> Iterator[list[str]]:  # noqa: ARG002
        """Yield what must stand before the runtime's argv; runtimes that need nothing leave it empty."""
        yield []

    @contextmanager
    def boot(self, context: BootContext) -> Iterator[Instance]:
        context.cgroup.delegate()
        outside = Cgroup(f"{context.cgroup.name}/runtime", context.cgroup.hierarchy)
        outside.create()
        started = time.monotonic()
        with ExitStack() as stack:
            placement = stack.enter_context(outside.placement(context.limits.cpu_set))
            bundle = stack.enter_context(self.bundle(context))
            enter = stack.enter_context(self.entered(context, placement))
            argv = [*enter, *self.runtime(context)]
            container = Container(context, argv, placement)
            console = stack.enter_context(container.console_path.open("wb"))
            how = Spawning(placement=placement, stdout=console, stderr=console, cwd=context.directory)
            main = stack.enter_context(spawn([*argv, "run", "--bundle", str(bundle), context.name], how))
            stack.callback(container.end, main)
            container.started_at = started
            container.ready_at = wait_ready(container, main.poll, context.boot_limit_s)
            yield container

    @contextmanager
    def bundle(self, context: BootContext) -> Iterator[Path]:
        """Write the bundle (config.json, rootfs) and mount its root file system where it needs one."""
        bundle = context.directory / "bundle"
        rootfs = bundle / "rootfs"
        rootfs.mkdir(parents=True)
        overlay = self.values["storage"] == "overlay"
        plan = BundlePlan(
            context=context,
            root=rootfs if overlay else context.images.userland,
            writable_root=overlay,
            data=None if overlay else context.volume,
            seccomp=self.seccomp(context),
        )
        (bundle / "config.json").write_text(json.dumps(oci_config(plan)), encoding="utf-8")
        with ExitStack() as stack:
            if overlay:
                stack.enter_context(overlay_root(context, rootfs))
            yield bundle


@contextmanager
def private_mounts(placement: Placement, change: list[str], namespace: str = "") -> Iterator[list[str]]:
    """Yield what stands before an argv to run it where `change`, a mount or umount, was made for it alone.

    `namespace`: a named netns to enter as well. The mounts vanish with their holder, whatever happens to us.
    """
    enter_net = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
    unshare = [*enter_net, "unshare", "--mount", "--propagation", "private", "sleep", "infinity"]
    with spawn(unshare, Spawning(placement=placement, stop_s=0.0)) as holder:
        wait_for_own_namespace(holder.pid)
        enter = ["nsenter", "--target", str(holder.pid), "--mount", *(["--net"] if namespace else [])]
        with failing_as("mount namespace of the runtime"):
            run([*enter, *change], timeout_s=30)
        yield enter


@contextmanager
def overlay_root(context: BootContext, rootfs: Path) -> Iterator[None]:
    """Mount the userland as an overlay whose upper directory lies on the volume (contract §1)."""
    upper, work = context.volume / "upper", context.volume / "work"
    upper.mkdir()
    work.mkdir()
    layers = f"lowerdir={context.images.userland},upperdir={upper},workdir={work}"
    with context.ledger.undone(Act("mount", {"path": str(rootfs)})):
        with failing_as("overlay of the userland"):
            run(["mount", "-t", "overlay", "-o", layers, "overlay", str(rootfs)], timeout_s=30)
            (rootfs / DATA_DIRECTORY.lstrip("/")).mkdir(exist_ok=True)
        yield


def wait_ready(container: Instance, poll: Callable[[], int | None], limit_s: float) -> float:
    """Wait for the first process's stamp; return its host CLOCK_MONOTONIC time. Raises BootFailed."""
    deadline = time.monotonic() + limit_s
    while True:
        if READY_LINE.encode() in container.console():
            return time.monotonic()
        if poll() is not None:
            raise BootFailed("container start", last_words(container.console()), container.console())
        if time.monotonic() > deadline:
            raise BootFailed("container start", f"not ready within {limit_s:g} s", container.console())
        time.sleep(POLL_S)


def last_words(console: bytes) -> str:
    """The last line that a runtime printed."""
    lines = console.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "the runtime ended without a word"
