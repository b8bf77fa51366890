"""Direct execution: the same userland by chroot, on the host's kernel, in a cgroup with the campaign's limits.

[environments.native]

[environments.capped]
kind = "native"
read_limit = 3_600_000   # bytes a second from the disk: a known truth to find; 0: no limit
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from primetime.environments.base import READY_LINE, Attachment, BootContext, Environment, Instance, Setting, Storage
from primetime.environments.chroot import Chroot, ChrootPlan, open_chroot
from primetime.environments.proofs import prove_cgroup
from primetime.errors import BootFailed
from primetime.host.process import Spawning, find_program, spawn
from primetime.host.throttle import ReadCap, reads_capped
from primetime.model import Command, Fact, Footprint, Outcome, Usability, Usable

READY = "/usr/lib/primetime/ready"


class NativeInstance(Instance):
    """The chroot with its cgroup."""

    def __init__(self, context: BootContext, chroot: Chroot) -> None:
        self.context = context
        self.chroot = chroot

    def run(self, command: Command) -> Outcome:
        return self.chroot.run(command)

    def footprint(self) -> Footprint:
        return Footprint(cgroups=(self.context.cgroup.name,))

    def prove_limits(self) -> tuple[Fact, ...]:
        return prove_cgroup(self, self.context.cgroup, self.context.limits)


class Native(Environment):
    """See the module."""

    kind = "native"
    summary = "direct execution in a chroot"
    storage = Storage.DIRECTORY
    attachment = Attachment.HOST
    settings = (Setting("read_limit", 0, (), "bytes per second from the disk, at most; 0: no limit"),)

    def bypasses_host_cache(self) -> bool:
        return True

    def missing(self) -> Usability | None:
        for program in ("unshare", "nsenter", "chroot"):
            if find_program(program) is None:
                return Usability(self.kind, Usable.NO, f"{program} is missing", "apt-get install util-linux coreutils")
        return None

    def usable(self) -> Usability:
        return Usability(self.kind, Usable.YES)

    @contextmanager
    def boot(self, context: BootContext) -> Iterator[Instance]:
        started = time.monotonic()
        with ExitStack() as stack:
            placement = stack.enter_context(context.cgroup.placement(context.limits.cpu_set))
            if limit := int(self.values["read_limit"]):
                cap = ReadCap(context.cgroup.name, context.volume, limit)
                placement = stack.enter_context(reads_capped(cap, placement, context.ledger))
            plan = ChrootPlan(context.images.userland, context.directory / "root", context.volume, placement)
            with open_chroot(plan) as chroot:
                instance = NativeInstance(context, chroot)
                instance.started_at = started
                with first_process(chroot) as ready_at:
                    instance.ready_at = ready_at
                    yield instance


@contextmanager
def first_process(chroot: Chroot) -> Iterator[float]:
    """Run the first process of the userland, as every environment does; yield when its stamp arrived."""
    spawning = Spawning(placement=chroot.plan.placement, stdout=subprocess.PIPE, stop_s=0.0)
    with spawn(chroot.argv((READY, "sleep", "infinity")), spawning) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode(errors="replace").strip()
        if line != READY_LINE:
            raise BootFailed("first process", f"it said {line!r} instead of {READY_LINE!r}")
        yield time.monotonic()
