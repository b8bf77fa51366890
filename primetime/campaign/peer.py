"""The other end of network points: a namespace behind the host, or a machine that the user names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname
from tempfile import TemporaryFile

from primetime.campaign.far_peer import far_peer_facts, own_versions, parse_peer
from primetime.campaign.peer_service import PeerUse, ask, use_in
from primetime.environments.base import FILE_LIMIT_S
from primetime.environments.chroot import GRACE_S, Chroot, ChrootPlan, limited, open_chroot
from primetime.errors import BootFailed, CommandFailed, UserError
from primetime.host import network
from primetime.host.cgroup import PARENT, Cgroup
from primetime.host.ledger import RUN_DIRECTORY, Act, Ledger
from primetime.host.process import Spawning, run, spawn
from primetime.model import Command, Fact, FileToPut, Outcome, Step, Where

SAME_MACHINE = "namespace"
LISTEN_LIMIT_S = 10.0
OPEN_STATES = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}  # /proc/net/…: listening; bound, unconnected


@dataclass(frozen=True, slots=True)
class PeerPlan:
    """`where`: "namespace" or a far machine's address; `cpus`: the peer's CPU set (contract §3)."""

    where: str
    tree: Path
    ledger: Ledger
    cpus: tuple[int, ...]
    in_bridge: bool


class Peer:
    """An open peer. A far one serves by itself: its servers are the user's."""

    def __init__(self, address: str, chroot: Chroot | None) -> None:
        self.address = address
        self.chroot = chroot
        self.port = 0  # of a far peer's server; 0: the tool's own
        self.far_facts: tuple[Fact, ...] = ()
        self.watched = False

    def facts(self) -> tuple[Fact, ...]:
        """Facts of the network path."""
        kind = SAME_MACHINE if self.chroot else "far"
        return (Fact("network.peer", kind), Fact("network.peer_address", self.address), *self.far_facts)

    def use(self) -> PeerUse | None:
        """The CPU time that a far peer has used, where `primetime peer` runs there."""
        return use_in(ask(self.address)) if self.watched else None

    def run(self, step: Step) -> Outcome:
        """Run a step's program on the peer. UserError on a far peer."""
        if self.chroot is None:
            raise UserError(f"a step wants to run on {self.address}, which primetime does not manage")
        spawning = Spawning(placement=self.chroot.plan.placement)
        argv = self.chroot.argv(limited(Command(step.argv, step.timeout_s)))
        return run(argv, timeout_s=step.timeout_s + GRACE_S, stdin=step.stdin, check=False, spawning=spawning)

    def put(self, file: FileToPut) -> None:
        """Write a file below /tmp; on a far peer it is there already. BootFailed when that fails."""
        if self.chroot is None:
            return
        mode, path = f"{file.mode:o}", file.path
        steps = ((("mkdir", "-p", dirname(path)), b""), (("tee", path), file.content), (("chmod", mode, path), b""))
        for argv, stdin in steps:
            outcome = self.run(Step(Where.PEER, argv, "put", FILE_LIMIT_S, stdin))
            if outcome.returncode != 0:
                raise BootFailed("peer", str(CommandFailed(argv, outcome.returncode, outcome.stderr)))

    @contextmanager
    def serve(self, step: Step) -> Iterator[None]:
        """Keep a server running, from when it listens; on a far peer it is there already."""
        if self.chroot is None:
            yield
            return
        with TemporaryFile() as words:
            how = Spawning(placement=self.chroot.plan.placement, stdout=words, stderr=words, stop_s=1.0)
            before = open_ports(self.chroot.holder.pid)
            with spawn(self.chroot.argv(step.argv), how) as server:
                if not self.opens_another(before, server.poll):
                    words.seek(0)
                    said = (words.read().decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
                    ended = server.poll() is not None
                    how_so = f"ended with exit code {server.returncode}" if ended else "does not listen"
                    raise BootFailed("peer", f"{' '.join(step.argv[:2])} {how_so}: {said}")
                yield

    def opens_another(self, before: int, poll: Callable[[], int | None]) -> bool:
        """Wait until one more port is open in the peer's namespace; whether that came."""
        assert self.chroot is not None
        deadline = time.monotonic() + LISTEN_LIMIT_S
        while open_ports(self.chroot.holder.pid) <= before:
            if poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return poll() is None


def open_ports(pid: int) -> int:
    """How many TCP sockets listen and UDP sockets are bound in the network namespace of `pid`."""
    count = 0
    for name, state in OPEN_STATES.items():
        table = Path(f"/proc/{pid}/net/{name}")
        lines = table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else []
        count += sum(line.split()[3] == state for line in lines)
    return count


@contextmanager
def open_peer(plan: PeerPlan) -> Iterator[Peer]:
    """Make the namespace with the userland in it, or name the far machine."""
    if plan.where != SAME_MACHINE:
        host, port = parse_peer(plan.where)
        far = Peer(host, None)
        far.port = port if ":" in plan.where else 0
        far.far_facts = (*far_peer_facts(plan.where), *own_versions(plan.tree))
        far.watched = Fact("peer.watched", True) in far.far_facts
        yield far
        return
    with ExitStack() as stack:
        address = stack.enter_context(network.peer_namespace(plan.ledger, plan.in_bridge))
        cgroup = Cgroup(f"{PARENT}/peer")
        stack.enter_context(plan.ledger.undone(Act("cgroup", {"name": cgroup.name})))
        cgroup.create()
        cgroup.set_cpus(plan.cpus)
        placement = stack.enter_context(cgroup.placement(plan.cpus))
        directory = RUN_DIRECTORY / "peer"
        stack.enter_context(plan.ledger.undone(Act("tree", {"path": str(directory)})))
        chroot_plan = ChrootPlan(plan.tree, directory / "root", None, placement, network.PEER_NAMESPACE)
        yield Peer(address, stack.enter_context(open_chroot(chroot_plan)))
