"""A private containerd: own root (on the volume), state, socket and configuration. The host's daemon is not touched.

It is started for one boot and ended with it. What it cannot keep private – the shim's socket below
/run/containerd/s – has a name that follows from our socket's, and is removed by it.
Source: containerd docs/ops.md, docs/snapshotters/devmapper.md; runtime/v2/shim (SocketAddress).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from primetime.environments.base import BootContext, failing_as
from primetime.environments.containerd_image import empty_layer_digest, image_archive
from primetime.errors import BootFailed, UndoFailed
from primetime.host.cgroup import Cgroup
from primetime.host.ledger import Act
from primetime.host.mounts import mounts_below
from primetime.host.process import SEARCH_PATH, Placement, Spawning, run, spawn
from primetime.host.thin_pool import ThinPool, thin_pool
from primetime.model import Outcome

NAMESPACE = "primetime"
OVERLAYFS, DEVMAPPER = "overlayfs", "devmapper"
SHIM_SOCKETS = Path("/run/containerd/s")
NOT_WANTED = (  # they would listen, look for kernel modules or make directories outside ours
    "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
    "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
)  # fmt: skip
READY_LIMIT_S = 60.0
STEP_LIMIT_S = 120.0
COPY_LIMIT_S = 900.0
POLL_S = 0.02
END_LIMIT_S = 10.0
COMPLAINTS = ("level=fatal", "level=error", "containerd: ")
KATAS_CGROUP = "kata_container"
BASE_KEY = "primetime-base"


@dataclass(frozen=True, slots=True)
class DaemonPlan:
    """What differs between daemons. `pool_mib`: size of the thin pool and of each root in it (devmapper only).

    `path`: directories with runtimes and their programs, before the usual ones; "" for none.
    """

    context: BootContext
    placement: Placement
    snapshotter: str
    pool_mib: int
    path: str = ""

    @property
    def cgroups(self) -> tuple[Cgroup, ...]:
        """Where daemon, shims and clients live, and where the container does: all within the boot's limits.

        Kata's shim and machine put themselves into one beside the container's, of a name that follows from its
        (src/runtime/pkg/resourcecontrol, RenameCgroupPath). They hold the root's device open.
        """
        boot = self.context.cgroup
        return tuple(Cgroup(f"{boot.name}/{name}", boot.hierarchy) for name in ("runtime", "container", KATAS_CGROUP))

    @property
    def root(self) -> Path:
        """What is kept: on the volume, since the containers' files lie there."""
        return self.context.volume / "containerd"

    @property
    def state(self) -> Path:
        """What lives as long as the daemon."""
        return self.context.directory / "containerd"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.state / "containerd.sock"

    @property
    def pool(self) -> str:
        """The thin pool's name."""
        return f"primetime-{self.context.name}"


class Containerd:
    """A running daemon, and its client."""

    def __init__(self, plan: DaemonPlan) -> None:
        self.plan = plan

    def argv(self, *arguments: str) -> list[str]:
        """The client's command line."""
        return ["ctr", "--address", str(self.plan.socket), "--namespace", NAMESPACE, *arguments]

    def ctr(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> Outcome:
        """Run the client. Raises CommandFailed, CommandTimeout."""
        how = Spawning(placement=self.plan.placement, cwd=self.plan.context.directory)
        return run(self.argv(*arguments), timeout_s=STEP_LIMIT_S, stdin=stdin, check=check, spawning=how)

    def snapshots(self, *arguments: str) -> Outcome:
        """The client's commands about snapshots of the chosen kind."""
        return self.ctr("snapshots", "--snapshotter", self.plan.snapshotter, *arguments)

    def import_image(self) -> None:
        """Make the image, with the userland in place of its one layer."""
        context = self.plan.context
        self.ctr("images", "import", "--no-unpack", "-", stdin=image_archive(context.images.architecture))
        self.snapshots("prepare", BASE_KEY)
        words = self.snapshots("mounts", str(context.directory / "base"), BASE_KEY).stdout.decode().split()
        if self.plan.snapshotter == OVERLAYFS:
            link_userland(Path(words[words.index("bind") + 1]), context.images.userland)
        else:
            self.copy_userland(without_empty_options(words))
        self.snapshots("commit", empty_layer_digest(), BASE_KEY)

    def copy_userland(self, mount: list[str]) -> None:
        """Fill the base device: a block device holds its files itself. `mount`: containerd's own mount command."""
        context = self.plan.context
        target = context.directory / "base"
        target.mkdir()
        with context.ledger.undone(Act("mount", {"path": str(target)})):
            run(mount, timeout_s=STEP_LIMIT_S)
            run(["cp", "--archive", f"{context.images.userland}/.", str(target)], timeout_s=COPY_LIMIT_S)

    def container_states(self) -> dict[str, str]:
        """Tasks by container: "RUNNING", "STOPPED", …."""
        return task_states(self.ctr("tasks", "list").stdout.decode())

    def left(self) -> list[str]:
        """Containers and snapshots that should be gone by now."""
        containers = self.ctr("containers", "list", "--quiet").stdout.decode().split()
        keys = snapshot_keys(self.snapshots("list").stdout.decode())
        return [*containers, *(key for key in keys if key != empty_layer_digest())]


@contextmanager
def open_containerd(plan: DaemonPlan) -> Iterator[Containerd]:
    """Start a daemon with the image in it; at the end nothing of it is left. Raises BootFailed, UndoFailed."""
    plan.root.mkdir()
    plan.state.mkdir()
    with ExitStack() as stack:
        ledger = plan.context.ledger
        stack.enter_context(ledger.undone(Act("paths", {"paths": outside_paths(plan)})))
        if plan.snapshotter == DEVMAPPER:
            with failing_as("thin pool"):
                stack.enter_context(thin_pool(ThinPool(plan.pool, plan.context.volume, plan.pool_mib << 20), ledger))
        stack.enter_context(ledger.undone(Act("mount", {"path": str(plan.state)})))
        for cgroup in plan.cgroups:  # undone first: nothing can be unmounted or removed while processes use it
            stack.enter_context(ledger.undone(Act("cgroup", {"name": cgroup.name})))
        with running(plan) as daemon:
            with failing_as("image of the userland"):
                daemon.import_image()
            yield daemon
            verify_empty(daemon)
        verify_ended(plan)


@contextmanager
def running(plan: DaemonPlan) -> Iterator[Containerd]:
    """Start the daemon and wait until it answers; end it with the block."""
    context = plan.context
    log, config = context.directory / "containerd.log", context.directory / "containerd.toml"
    config.write_text(config_text(plan), encoding="utf-8")
    variables = {"DM_DISABLE_UDEV": "1", "PATH": f"{plan.path}:{SEARCH_PATH}" if plan.path else SEARCH_PATH}
    with log.open("wb") as words:
        how = Spawning(variables, context.directory, plan.placement, stdout=words, stderr=words)
        with spawn(["containerd", "--config", str(config)], how) as process:
            daemon = Containerd(plan)
            deadline = time.monotonic() + READY_LIMIT_S
            while daemon.ctr("version", check=False).returncode != 0:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise BootFailed("containerd", last_error(log), log.read_bytes())
                time.sleep(POLL_S)
            yield daemon


def config_text(plan: DaemonPlan) -> str:
    """The daemon's configuration, in the format that containerd 1.6 and 2 both take."""
    lines = [
        "version = 2",
        f"root = {json.dumps(str(plan.root))}",
        f"state = {json.dumps(str(plan.state))}",
        f"disabled_plugins = {json.dumps(list(NOT_WANTED))}",
        "[grpc]",
        f"address = {json.dumps(str(plan.socket))}",
    ]
    if plan.snapshotter == DEVMAPPER:
        lines += [
            '[plugins."io.containerd.snapshotter.v1.devmapper"]',
            f"root_path = {json.dumps(str(plan.root / DEVMAPPER))}",
            f'pool_name = "{plan.pool}"',
            f'base_image_size = "{plan.pool_mib}MB"',  # of 2^20 bytes
            "discard_blocks = false",
        ]
    return "\n".join(lines) + "\n"


def outside_paths(plan: DaemonPlan, home: Path = SHIM_SOCKETS.parent) -> list[str]:
    """What shim and client make outside our directories: a socket, and the directories that are not there yet.

    The client's `tasks delete --force` makes "fifo", whatever directory it was told.
    """
    absent = [one for one in (home / SHIM_SOCKETS.name, home / "fifo", home) if not one.exists()]
    return [str(path) for path in (shim_socket(plan.socket, plan.context.name), *absent)]


def shim_socket(address: Path, container: str) -> Path:
    """Where the shim of a container listens: the name is a hash of the daemon's socket, namespace and container."""
    return SHIM_SOCKETS / hashlib.sha256(str(address / NAMESPACE / container).encode()).hexdigest()


def link_userland(directory: Path, userland: Path) -> None:
    """Let the base snapshot of the overlayfs snapshotter be the userland itself: a lower directory is only read."""
    directory.rmdir()
    directory.symlink_to(userland)


def without_empty_options(mount: list[str]) -> list[str]:
    """containerd's mount command as mount takes it: a device without options ends with a bare -o there."""
    return mount[:-1] if mount[-1:] == ["-o"] else mount


def task_states(listed: str) -> dict[str, str]:
    """Read what `ctr tasks list` prints: a head, then name, pid and state."""
    rows = [line.split() for line in listed.splitlines()[1:]]
    return {row[0]: row[2] for row in rows if len(row) >= 3}


def snapshot_keys(listed: str) -> list[str]:
    """Read what `ctr snapshots list` prints: a head, then key, parent and kind."""
    return [line.split()[0] for line in listed.splitlines()[1:] if line.strip()]


def last_error(log: Path) -> str:
    """The daemon's last complaint, else its last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    errors = [line for line in lines if any(sign in line for sign in COMPLAINTS)]
    return (errors or lines or ["it said nothing"])[-1]


def verify_empty(daemon: Containerd) -> None:
    """Wait until containers and their snapshots are gone. UndoFailed when they stay."""
    deadline = time.monotonic() + STEP_LIMIT_S
    while left := daemon.left():
        if time.monotonic() > deadline:
            raise UndoFailed(f"containerd still has {', '.join(left)}")
        time.sleep(POLL_S)


def verify_ended(plan: DaemonPlan) -> None:
    """UndoFailed when processes or mounts outlive the daemon (what undoes them is in the ledger)."""
    deadline = time.monotonic() + END_LIMIT_S
    while left := sorted({pid for cgroup in plan.cgroups for pid in cgroup.pids()}):
        if time.monotonic() > deadline:
            raise UndoFailed(f"processes {left} outlived containerd")
        time.sleep(POLL_S)
    if mounts := mounts_below(plan.state):
        raise UndoFailed(f"containerd left mounts: {', '.join(map(str, mounts))}")
